package daemon

import (
	"strings"
	"testing"

	"mkad/internal/config"
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
