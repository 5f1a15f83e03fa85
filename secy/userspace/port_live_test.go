package userspace_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"mkad/internal/netlab"
	"mkad/secy"
)

func TestControlledPortTakesAfterLowerDevice(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	controlled := device(t, a, controlledName)
	if !bytes.Equal(controlled.MAC, port.mac) || controlled.MTU != 1500-32 || !controlled.Up {
		t.Errorf("Controlled Port is %+v, want up with MAC %s and MTU 1468", controlled, port.mac)
	}
}

func TestCarrierFollowsControlledPort(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	for _, step := range []struct {
		what string
		do   func()
		want bool
	}{
		{"opened", func() {}, false},
		{"enabled", func() { port.enable(t, true) }, true},
		{"disabled", func() { port.enable(t, false) }, false},
		{"enabled again", func() { port.enable(t, true) }, true},
		{"set down and up", func() { must(t, a.SetDown(controlledName)); must(t, a.SetUp(controlledName)) }, true},
		{"disabled again", func() { port.enable(t, false) }, false},
	} {
		step.do()
		if got := device(t, a, controlledName).Carrier; got != step.want {
			t.Errorf("%s: carrier is %t, want %t", step.what, got, step.want)
		}
	}
}

func TestCloseRemovesControlledPort(t *testing.T) {
	for _, persist := range []bool{false, true} {
		a, _ := newWire(t)
		port, err := tryOpen(t, a, controlledName, persist)
		must(t, err)
		must(t, port.Close(false))
		if d, err := a.Device(controlledName); err == nil {
			t.Errorf("with Persist %t it is still there: %+v", persist, d)
		}
	}
}

func TestPersistDecidesWhatAnEndedProcessLeaves(t *testing.T) {
	for _, persist := range []bool{false, true} {
		a, _ := newWire(t)
		port, err := tryOpen(t, a, controlledName, persist)
		must(t, err)
		must(t, a.Do(func() error {
			link, err := netlink.LinkByName(controlledName)
			if err == nil && link.(*netlink.Tuntap).NonPersist == persist {
				t.Errorf("with Persist %t the device is %+v", persist, link)
			}
			return err
		}))
		must(t, port.Close(false))
	}
}

func TestClosedPortFollowsNothing(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	must(t, port.Close(false))
	lower := device(t, a, lowerName)
	if err := port.LowerChanged(lower.Index, [6]byte(lower.MAC), lower.MTU); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error is %v, want os.ErrClosed", err)
	}
	if r := port.try(secy.Op{Kind: secy.OpControlledPort, Enabled: true}); len(r) != 1 || r[0].Kind != secy.ReportFailed {
		t.Errorf("an order after Close reports %v, want one failure", r)
	}
}

func TestKeptControlledPortIsAdopted(t *testing.T) {
	a, _ := newWire(t)
	port, err := tryOpen(t, a, controlledName, true)
	must(t, err)
	must(t, a.AddAddress(controlledName, "192.0.2.1/24"))
	port.enable(t, true)
	before := device(t, a, controlledName)
	must(t, port.Close(true))
	if d := device(t, a, controlledName); d.Carrier || d.Index != before.Index {
		t.Errorf("kept device is %+v, want %+v without carrier", d, before)
	}
	port = open(t, a)
	after := device(t, a, controlledName)
	if after.Index != before.Index || after.Carrier || !slices.Contains(addresses(t, a), "192.0.2.1/24") {
		t.Errorf("adopted device is %+v with addresses %v, want index %d, no carrier, the address of before",
			after, addresses(t, a), before.Index)
	}
	port.enable(t, true)
	if !device(t, a, controlledName).Carrier {
		t.Error("adopted device gets no carrier")
	}
}

func addresses(t *testing.T, ns *netlab.Namespace) (list []string) {
	t.Helper()
	must(t, ns.Do(func() error {
		ifi, err := net.InterfaceByName(controlledName)
		if err != nil {
			return err
		}
		all, err := ifi.Addrs()
		for _, a := range all {
			list = append(list, a.String())
		}
		return err
	}))
	return list
}

func TestOpenErrorNamesTheRemedy(t *testing.T) {
	a, _ := newWire(t)
	open(t, a)
	must(t, a.Bridge("bridge0"))
	must(t, a.Do(func() error { return addTUN("tun0") }))
	for _, test := range []struct{ name, want string }{
		{"bridge0", "remove it (ip link del bridge0) or set another name"},
		{"tun0", "remove it (ip link del tun0) or set another name"},
		{controlledName, "another program holds the TAP"},
		{"a-name-too-long-for-a-device", "longer than 15 octets"},
	} {
		port, err := tryOpen(t, a, test.name, false)
		if err == nil {
			must(t, port.Close(false))
			t.Errorf("%s: opened", test.name)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %q does not say %q", test.name, err, test.want)
		}
	}
}

func addTUN(name string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	return netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TUN})
}

func TestFailedOpenLeavesNoDevice(t *testing.T) {
	a, _ := newWire(t)
	must(t, a.SetMTU(lowerName, 80))
	_, err := tryOpen(t, a, controlledName, true)
	if err == nil || !strings.Contains(err.Error(), "raise it to at least 100") {
		t.Errorf("error is %v, want one that says to raise the lower MTU", err)
	}
	if d, err := a.Device(controlledName); err == nil {
		t.Errorf("left behind: %+v", d)
	}
}

func TestDisabledControlledPortPassesNothing(t *testing.T) {
	for name, set := range map[string]secy.Settings{"secured": secured, "clear": inClear} {
		t.Run(name, func(t *testing.T) {
			west, east := securedPair(t, set)
			from := listen(t, west.ns, controlledName, experimental)
			to := listen(t, east.ns, controlledName, experimental)
			frame := experiment(east.mac, west.mac, []byte("enabled"))
			from.send(frame)
			to.expect(frame)

			west.enable(t, false)
			for range 100 {
				_ = from.try(experiment(east.mac, west.mac, []byte("disabled")))
			}
			west.enable(t, true)
			frame = experiment(east.mac, west.mac, []byte("enabled again"))
			from.send(frame)
			to.expect(frame)
		})
	}
}

// After Apply has disabled the port nothing leaves any more, of what was on its way either.
func TestNothingLeavesOnceDisabledUnderLoad(t *testing.T) {
	for name, set := range map[string]secy.Settings{"secured": secured, "clear": inClear} {
		t.Run(name, func(t *testing.T) {
			west, _ := securedPair(t, set)
			stop := make(chan struct{})
			stopped := make(chan struct{})
			from := listen(t, west.ns, controlledName, experimental)
			go func() {
				defer close(stopped)
				frame := experiment(broadcast, west.mac, randomData(100))
				for {
					select {
					case <-stop:
						return
					default:
						_ = from.try(frame)
					}
				}
			}()
			for range 50 {
				before := statistics(t, west, lowerName).TxPackets
				eventually(t, "frames leave", func() bool { return statistics(t, west, lowerName).TxPackets > before+100 })
				west.enable(t, false)
				sent := west.Counters()
				left := statistics(t, west, lowerName).TxPackets
				for range 20 {
					_ = from.try(experiment(broadcast, west.mac, randomData(100)))
				}
				if got := west.Counters(); got != sent {
					t.Fatalf("SecY sent while disabled: %+v, then %+v", sent, got)
				}
				if now := statistics(t, west, lowerName).TxPackets; now > left {
					t.Fatalf("%d frames left while disabled", now-left)
				}
				west.enable(t, true)
			}
			close(stop)
			<-stopped
		})
	}
}

// Clause: 802.1AE-2018 10.5.2 (nextPN)
func TestExhaustedKeyIsReportedAndStops(t *testing.T) {
	a, b := newWire(t)
	west, east := open(t, a), open(t, b)
	ops := orders(west.sci, east.sci, secured)
	for i := range ops {
		if ops[i].Kind == secy.OpCreateTransmitSA {
			ops[i].PN = secured.CipherSuite.MaxPN() - 2
		}
	}
	west.order(t, ops...)
	west.enable(t, true)
	from := listen(t, west.ns, controlledName, experimental)
	for range 10 {
		from.send(experiment(east.mac, west.mac, []byte("one more")))
	}
	if r := await(t, west.Reports()); r.Kind != secy.ReportExhausted || r.Key != keyID {
		t.Errorf("reported %s, want Exhausted of %s", r, keyID)
	}
	if n := west.Counters().OutPktsEncrypted; n != 3 {
		t.Errorf("%d frames left with the last three packet numbers", n)
	}
	if pn, ok := west.PN(keyID); !ok || pn != secured.CipherSuite.MaxPN() {
		t.Errorf("PN is %d, %t", pn, ok)
	}
}

func TestRemovedControlledPortEndsTheDataPath(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	port.enable(t, true)
	if err := port.Err(); err != nil {
		t.Errorf("error before the end: %v", err)
	}
	must(t, a.Remove(controlledName))
	await(t, port.Done())
	if port.Err() == nil {
		t.Error("ended without an error")
	}
	must(t, port.Close(false))
}

func TestRefusedOrderIsReported(t *testing.T) {
	a, _ := newWire(t)
	port := open(t, a)
	reports := port.try(secy.Op{Kind: secy.OpEnableTransmit, Key: keyID})
	if len(reports) != 1 || reports[0].Kind != secy.ReportFailed {
		t.Errorf("reports are %v, want one failure", reports)
	}
}
