package kernel_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/secy"
	"mkad/secy/kernel"
	"mkad/secy/kernel/kerneltest"
)

// Clause: 802.1AE-2018 10.7.25
// Requirement: R110
func TestProbeFindsSuites(t *testing.T) {
	for name, c := range map[string]struct {
		kernel  func(*kerneltest.Kernel)
		offload kernel.Offload
		want    []secy.CipherSuite
	}{
		"all":         {func(*kerneltest.Kernel) {}, kernel.OffloadOff, secy.CipherSuites[:]},
		"before 5.7":  {func(k *kerneltest.Kernel) { k.Old = true }, kernel.OffloadOff, secy.CipherSuites[:2]},
		"before 4.16": {onlyTheFirst, kernel.OffloadOff, secy.CipherSuites[:1]},
		"in hardware": {func(k *kerneltest.Kernel) { k.Hardware, k.Room = true, 1 }, kernel.OffloadMAC, secy.CipherSuites[:]},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c.kernel(l.k)
			o := kernel.Probe(l.k.Exchange, l.lower, c.offload)
			if o.Available != nil || !slices.Equal(o.Suites, c.want) || o.Capability != secy.CapabilityConfidentiality {
				t.Errorf("offer is %+v", o)
			}
			if got := l.k.Requests(); got[len(got)-1] != "DELLINK" {
				t.Errorf("requests are %v: the trial stays", got)
			}
		})
	}
}

func onlyTheFirst(k *kerneltest.Kernel) {
	k.Fail("NEWLINK", unix.EINVAL)
	k.Fail("NEWLINK", unix.EINVAL)
}

func TestProbeSaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		kernel  func(*kerneltest.Kernel)
		offload kernel.Offload
		says    string
	}{
		"no module":      {func(k *kerneltest.Kernel) { k.NoModule = true }, kernel.OffloadOff, "modprobe macsec"},
		"user namespace": {func(k *kerneltest.Kernel) { k.Unprivileged = true }, kernel.OffloadOff, "initial user namespace"},
		"a bridge port":  {func(k *kerneltest.Kernel) { k.Device("eth1").Master = 7 }, kernel.OffloadOff, "belongs to a bridge"},
		"no engine":      {func(*kerneltest.Kernel) {}, kernel.OffloadMAC, "the device cannot offload it"},
		"too old for it": {func(k *kerneltest.Kernel) { k.Old, k.Hardware = true, true }, kernel.OffloadMAC, "ignored its offload to mac"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c.kernel(l.k)
			o := kernel.Probe(l.k.Exchange, l.lower, c.offload)
			if o.Available == nil || !strings.Contains(o.Available.Error(), c.says) || o.Suites != nil {
				t.Errorf("offer is %+v, want one that says %q", o, c.says)
			}
		})
	}
}

func TestProbeLeavesOthersAlone(t *testing.T) {
	inLab(t, func(l *lab) {
		d := l.open().device()
		if o := kernel.Probe(l.k.Exchange, l.lower, kernel.OffloadOff); o.Available != nil || l.device() != d {
			t.Errorf("offer is %+v", o)
		}
	})
}
