package link

import (
	"os/exec"
	"path/filepath"
	"testing"

	"mkad/internal/netlab/optiontest"
)

// Clause: 802.1X-2020 12.4; design decision 4: as TestEveryCombinationOfOptionsPassesWhatIsPromised, with the kernel's SecY.
func TestGuestEveryCombinationOfOptionsPassesWhatIsPromised(t *testing.T) {
	mkad, err := exec.LookPath("mkad")
	must(t, err)
	optiontest.Run(t, filepath.Dir(mkad), "kernel")
}
