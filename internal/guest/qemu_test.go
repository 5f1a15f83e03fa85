package guest

import (
	"slices"
	"testing"
)

// Clause: none; microvm has no timer but the TSC, whose calibration fails now and then under emulation: it hangs.
func TestMachineHasAClockOfItsOwn(t *testing.T) {
	r := &run{Job: Job{Machine: Machine{CPUs: 1, Memory: 128, VirtualTime: true}}}
	args := r.qemuArguments(t.Context(), "files")
	if i := slices.Index(args, "-M"); i < 0 || args[i+1] != "q35" {
		t.Errorf("the machine is started with %q", args)
	}
}
