package daemon

import (
	"strings"
	"testing"
	"time"

	"mkad/mka"
)

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
