//go:build guest

package kernel_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/secy"
	"mkad/secy/kernel"
)

func TestGuestSuitesCarryFrames(t *testing.T) {
	for _, suite := range secy.CipherSuites {
		for _, offset := range []secy.ConfidentialityOffset{secy.IntegrityOnly, secy.Offset0} {
			for _, sendSCI := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s %s sci=%t", suite, offset, sendSCI), func(t *testing.T) {
					west, east := newHosts(t)
					west.open(suite)
					east.open(suite)
					set := settingsOf(suite)
					set.Offset, set.SendSCI = offset, sendSCI
					secure(west, east, set, first, 1, 1)
					west.address()
					east.address()
					exchange(t, west, east)
					encrypted := offset == secy.Offset0
					eventually(t, "the frames are counted", func() bool {
						c := west.Counters()
						return c.InPktsOK >= 3 && (c.OutPktsEncrypted >= 3) == encrypted && (c.OutPktsProtected >= 3) != encrypted
					})
				})
			}
		}
	}
}

func TestGuestReadsBackPacketNumbers(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAESXPN256)
	east.open(secy.GCMAESXPN256)
	secure(west, east, settingsOf(secy.GCMAESXPN256), first, 1, 1<<32-2)
	west.address()
	east.address()
	exchange(t, west, east)
	eventually(t, "packet numbers pass 2^32", func() bool {
		pn, ok := west.PN(first)
		lowest, known := east.LowestPN(west.sci, first)
		return ok && known && pn > 1<<32 && lowest > 1<<32-200
	})
}

func TestGuestExhaustionIsReportedOnce(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1<<32-4)
	west.address()
	east.address()
	a := listen(t, west)
	for range 10 {
		_, _ = a.WriteTo([]byte{1}, &net.UDPAddr{IP: east.addr, Port: 9})
	}
	if r := <-west.Reports(); r != (secy.Report{Kind: secy.ReportExhausted, Key: first}) {
		t.Errorf("reported %v", r)
	}
	if pn, _ := west.PN(first); pn != 1<<32-1 {
		t.Errorf("the last packet number is %d", pn)
	}
	for _, r := range west.Apply(enableTransmit(first), nil) {
		if r.Kind != secy.ReportFailed {
			t.Error("a spent key was put to use again")
		}
	}
}

func TestGuestRemovedDeviceIsLost(t *testing.T) {
	for _, name := range []string{"macsec0", "eth1"} {
		west, _ := newHosts(t)
		west.open(secy.GCMAES128)
		must(t, west.ns.Remove(name))
		<-west.Done()
		if err := west.Err(); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("%s removed: %v", name, err)
		}
	}
}

func TestGuestProbe(t *testing.T) {
	west, _ := newHosts(t)
	lower, err := west.ns.Device("eth1")
	must(t, err)
	must(t, west.ns.Do(func() error {
		if o := kernel.Probe(nil, lower.Index, kernel.OffloadOff); o.Available != nil || len(o.Suites) != 4 {
			t.Errorf("offer is %+v", o)
		}
		if o := kernel.Probe(nil, lower.Index, kernel.OffloadMAC); o.Available == nil {
			t.Errorf("a veth offers %+v", o)
		}
		links, err := netlink.LinkList()
		if len(links) != 2 {
			t.Errorf("%d devices are left", len(links))
		}
		return err
	}))
}

func TestGuestSecondSecYOfOneSCIIsRefused(t *testing.T) {
	west, _ := newHosts(t)
	west.open(secy.GCMAES128)
	err := (&host{t: t, ns: west.ns}).tryOpen(secy.GCMAES128, func(c *kernel.Config) { c.Controlled = "macsec1" })
	if err == nil || !strings.Contains(err.Error(), "another SecY on it has that SCI") {
		t.Errorf("error is %v", err)
	}
}

func TestGuestHandKeyedDeviceIsAdopted(t *testing.T) {
	west, east := newHosts(t)
	west.run("ip link add link eth1 macsec0 type macsec encrypt on")
	west.run("ip macsec add macsec0 tx sa 0 pn 100 on key 01 000102030405060708090a0b0c0d0e0f")
	west.run("ip link set macsec0 up")
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	if d, err := west.ns.Device("macsec0"); err != nil || d.OperState != "up" && d.OperState != "unknown" {
		t.Errorf("adopted: %+v, %v", d, err)
	}
	secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1)
	west.address()
	east.address()
	exchange(t, west, east)
}

func TestGuestManyPeersAreReadBack(t *testing.T) {
	west, _ := newHosts(t)
	west.open(secy.GCMAESXPN256)
	west.order(configure(settingsOf(secy.GCMAESXPN256)))
	for n := range secy.SCI(80) {
		west.order(receiveSC(n + 1))
		for an, key := range []secy.KeyID{first, another} {
			west.order(secy.Op{Kind: secy.OpCreateReceiveSA, SCI: n + 1, Key: key, AN: secy.AN(an), PN: 1, SSCI: secy.SSCI(n + 1),
				SAK: sak(32)})
		}
	}
	if pn, ok := west.LowestPN(80, another); !ok || pn != 1 {
		t.Errorf("lowest packet number %d, %t", pn, ok)
	}
}

// What somebody else does to the SecY is undone, or told.
func TestGuestForeignChangesAreRepaired(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	secure(west, east, settingsOf(secy.GCMAES128), first, 0, 1)
	west.run("ip link set macsec0 type macsec validate check")
	west.run("ip macsec set macsec0 rx sci " + east.sci.String() + " sa 0 off")
	west.address()
	east.address()
	eventually(t, "it is repaired", func() bool { return strings.Count(west.log.String(), "repaired=true") == 2 })
	exchange(t, west, east)
	west.run("ip macsec set macsec0 rx sci " + east.sci.String() + " sa 0 off")
	west.run("ip macsec del macsec0 rx sci " + east.sci.String() + " sa 0")
	r := <-west.Reports()
	if r.Kind != secy.ReportFailed || r.Key != first || !strings.Contains(r.Err, "is missing") {
		t.Errorf("reported %v", r)
	}
}

// Clause: 802.1AE-2018 10.7.13 (inUse); the kernel ignores whether a receive SC is active, so its SAs have to hold back.
func TestGuestReceiveSAHoldsBackUntilEnabled(t *testing.T) {
	west, east := newHosts(t)
	west.open(secy.GCMAES128)
	east.open(secy.GCMAES128)
	settings := settingsOf(secy.GCMAES128)
	tx := secy.Op{Kind: secy.OpCreateTransmitSA, Key: first, PN: 1, SAK: sak(16)}
	rx := secy.Op{Kind: secy.OpCreateReceiveSA, SCI: west.sci, Key: first, PN: 1, SAK: sak(16)}
	west.order(configure(settings), tx, enableTransmit(first), controlledPort(true))
	east.order(configure(settings), receiveSC(west.sci), rx)
	west.address()
	east.address()
	lower, err := east.ns.Device("eth1")
	must(t, err)
	west.run("ip neighbour replace " + east.addr.String() + " lladdr " + lower.MAC.String() + " dev macsec0")
	a, b := listen(t, west), listen(t, east)
	_, err = a.WriteTo([]byte{1}, b.LocalAddr())
	must(t, err)
	eventually(t, "the frame is refused", func() bool { return east.Counters().InPktsNoSAError > 0 })
	if n := east.Counters().InPktsOK; n != 0 {
		t.Errorf("%d frames were accepted", n)
	}
	east.order(enableReceive(first), controlledPort(true))
	pass(t, a, b, 100)
}

// insideEnv tells a test program that it is the one in the user namespace.
const insideEnv = "MKAD_TEST_IN_USER_NAMESPACE"

func TestGuestUserNamespaceIsRefused(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		refusedInside(t)
		return
	}
	self := exec.Command("/proc/self/exe", "-test.run=^TestGuestUserNamespaceIsRefused$")
	self.Env = append(os.Environ(), insideEnv+"=1")
	id := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: id, GidMappings: id}
	if out, err := self.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func refusedInside(t *testing.T) {
	veth := netlink.NewVeth(netlink.LinkAttrs{Name: "eth1", MTU: 1532})
	veth.PeerName = "eth2"
	must(t, netlink.LinkAdd(veth))
	lower, err := netlink.LinkByName("eth1")
	must(t, err)
	a := lower.Attrs()
	_, err = kernel.Open(kernel.Config{Lower: a.Index, LowerName: "eth1", Controlled: "macsec0", MTU: a.MTU, SCI: self,
		MAC: [6]byte(a.HardwareAddr), CipherSuite: secy.GCMAES128})
	if err == nil || !strings.Contains(err.Error(), "CAP_NET_ADMIN of the initial user namespace") {
		t.Errorf("error is %v", err)
	}
	if o := kernel.Probe(nil, a.Index, kernel.OffloadOff); o.Available == nil {
		t.Errorf("offer is %+v", o)
	}
}
