package daemon

import (
	"strings"
	"testing"
	"time"

	"mkad/internal/config"
	"mkad/mka"
)

// Clause: none; on their way to the hardware frames are in clear, and the filter of a closed device would drop each.
func TestHardwareNeedsAnOpenDevice(t *testing.T) {
	for _, backend := range []string{"offload-mac", "offload-phy"} {
		p := config.Port{Backend: backend, Uncontrolled: config.Closed}
		_, _, err := choose(p, offersFor(p, 1))
		if err == nil || !strings.Contains(err.Error(), `uncontrolled = "open"`) {
			t.Errorf("%s: %v", backend, err)
		}
	}
}

// Clause: none; an order that is refused because another was says nothing of the cause.
func TestFirstRefusalIsTheReason(t *testing.T) {
	now := mka.Time(time.Hour)
	p := &port{d: &Daemon{opts: Options{Now: func() mka.Time { return now }}}}
	refuse := func(why string) { p.learn(mka.Event{Kind: mka.EventSecYFailed, Reason: why}) }
	refuse("the hardware has no room")
	refuse("there is no SC")
	if !strings.Contains(p.hint, "no room") {
		t.Errorf("reason is %q", p.hint)
	}
	now = now.Add(2 * time.Second)
	refuse("out of memory")
	if !strings.Contains(p.hint, "out of memory") {
		t.Errorf("reason is %q", p.hint)
	}
}
