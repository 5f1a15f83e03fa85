package filter_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/internal/filter"
	"mkad/internal/netlab"
)

const broadcast = "ffffffffffff"

// frames are one of each kind. protocol is what a socket that takes only this kind binds to.
var frames = []struct {
	name     string
	frame    []byte
	protocol int
}{
	{"EAPOL", frameOf("0180c2000003", "888e", "03050000"), 0x888e},
	{"EAPOL to the nearest bridge", frameOf("0180c200000e", "888e", "03050000"), 0x888e},
	{"EAPOL to us", frameOf("02000000aa01", "888e", "03050000"), 0x888e},
	{"MACsec", frameOf(broadcast, "88e5", "2c00 00000001"), 0x88e5},
	{"ARP", frameOf(broadcast, "0806", "0001 0800 06 04 0001"), 0x0806},
	{"IPv4", frameOf(broadcast, "0800", "45000014 00000000 40110000"), 0x0800},
	{"IPv6", frameOf("333300000001", "86dd", "60000000 0000 3a ff"), 0x86dd},
	{"unknown EtherType", frameOf(broadcast, "88b5", "00"), 0x88b5},
	{"lldp", frameOf("0180c200000e", "88cc", "0207"), 0x88cc},
	{"stp", frameOf("0180c2000000", "0026", "424203 0000"), unix.ETH_P_802_2},
	{"LLC to another address", frameOf("0180c2000001", "0026", "424203 0000"), unix.ETH_P_802_2},
	{"LLC of another protocol", frameOf("0180c2000000", "0026", "fefe03 0000"), unix.ETH_P_802_2},
	{"EtherType to the STP address", frameOf("0180c2000000", "88b5", "424203 0000"), 0x88b5},
	{"lacp", frameOf("0180c2000002", "8809", "01"), 0x8809},
	{"slow protocol to another address", frameOf(broadcast, "8809", "01"), 0x8809},
	{"IPv4 in a VLAN", frameOf(broadcast, "8100", "0005 0800 45000014"), 0x0800},
	{"IPv6 in two VLANs", frameOf(broadcast, "88a8", "0005 8100 0006 86dd 60000000"), 0x86dd},
}

// closings are the ways to close, and which frames pass.
var closings = []struct {
	name   string
	rules  filter.Rules
	passes []string
}{
	{"plain", filter.Rules{}, allEAPOL},
	{"lldp", filter.Rules{Bypass: []filter.Bypass{filter.BypassLLDP}}, append(slices.Clone(allEAPOL), "lldp")},
	{"stp", filter.Rules{Bypass: []filter.Bypass{filter.BypassSTP}}, append(slices.Clone(allEAPOL), "stp")},
	{"lacp", filter.Rules{Bypass: []filter.Bypass{filter.BypassLACP}}, append(slices.Clone(allEAPOL), "lacp")},
	{"EAPOL to one group", filter.Rules{EAPOL: filter.EAPOL{In: to("0180c2000003", broadcast),
		Out: to("0180c2000003", broadcast)}}, []string{"EAPOL", "MACsec"}},
	{"EAPOL to two", filter.Rules{EAPOL: filter.EAPOL{In: to("0180c200000e", "02000000aa01", broadcast),
		Out: to("0180c200000e", "02000000aa01", broadcast)}}, []string{"EAPOL to the nearest bridge", "EAPOL to us", "MACsec"}},
	{"marked pass", filter.Rules{PassMarked: true}, allEAPOL},
}

// allEAPOL are the frames that pass where the destination of EAPOL does not matter.
var allEAPOL = []string{"EAPOL", "EAPOL to the nearest bridge", "EAPOL to us", "MACsec"}

// to are destinations.
func to(hex ...string) (list [][6]byte) {
	for _, h := range hex {
		list = append(list, [6]byte(unhex(h)))
	}
	return list
}

// An EtherType that is configured in the place of EAPOL's own passes, and EAPOL's no longer does; one more address passes
// one way, and no other.
func TestClosedDevicePassesTheConfiguredEtherTypeAndDestinations(t *testing.T) {
	mka := func(destination string) []byte { return frameOf(destination, "876f", "03050000") }
	rules := filter.Rules{EAPOL: filter.EAPOL{EtherType: 0x876f, In: to("0180c2000003"), Out: to("0180c200000e")}}
	for _, c := range []struct {
		name   string
		sends  bool
		passes string
	}{{"out", true, "0180c200000e"}, {"in", false, "0180c2000003"}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			from, at := l.peer, l.host
			if c.sends {
				from, at = l.host, l.peer
			}
			sender, receiver := attach(t, from, unix.ETH_P_ALL), attach(t, at, 0x876f)
			eapol := attach(t, at, 0x888e)
			l.close(t, rules)
			for _, frame := range [][]byte{named("EAPOL"), mka("0180c2000003"), mka("0180c200000e"), mka("02000000aa01"),
				mka(broadcast)} {
				sender.send(frame)
			}
			got, ok := receiver.receiveFrom(source, patience)
			if !ok || !bytes.Equal(got, mka(c.passes)) {
				t.Fatalf("passed %x first", got)
			}
			if more, ok := receiver.receiveFrom(source, time.Millisecond); ok {
				t.Errorf("passed %x too", more)
			}
			if got, ok := eapol.receiveFrom(source, time.Millisecond); ok {
				t.Errorf("passed %x by EAPOL's own EtherType", got)
			}
		})
	}
}

func TestClosedDeviceSendsOnlyWhatPasses(t *testing.T) {
	for _, c := range closings {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
			l.close(t, c.rules)
			checkPasses(t, from, to, c.passes)
		})
	}
}

// checkPasses sends every kind of frame and compares what arrives.
func checkPasses(t *testing.T, from, to station, want []string) {
	t.Helper()
	for _, f := range frames {
		from.send(f.frame)
	}
	from.send(marker)
	var got []string
	for _, frame := range to.until(marker, source) {
		got = append(got, nameOf(frame))
	}
	if !slices.Equal(got, want) {
		t.Errorf("passed %q, want %q", got, want)
	}
}

// named is the frame of that name.
func named(name string) []byte {
	for _, f := range frames {
		if f.name == name {
			return f.frame
		}
	}
	panic("no frame is called " + name)
}

// nameOf knows a frame also without its outer tag, which a socket does not see.
func nameOf(frame []byte) string {
	for _, f := range frames {
		untagged := append(slices.Clone(f.frame[:12]), f.frame[16:]...)
		if bytes.Equal(f.frame, frame) || bytes.Equal(untagged, frame) {
			return f.name
		}
	}
	return fmt.Sprintf("%x", frame)
}

func TestClosedDeviceReceivesOnlyWhatPasses(t *testing.T) {
	for _, c := range closings {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			from, end := attach(t, l.peer, unix.ETH_P_ALL), attach(t, l.host, 0x888e)
			l.close(t, c.rules)
			for _, f := range frames {
				to := attach(t, l.host, f.protocol)
				from.send(f.frame)
				from.send(marker)
				end.until(marker, source)
				want := slices.Contains(c.passes, f.name)
				within := time.Millisecond // what comes has come before the marker
				if want {
					within = patience
				}
				frame, got := to.receiveFrom(source, within)
				if got = got && !bytes.Equal(frame, marker); got != want {
					t.Errorf("%s: received: %t, want %t", f.name, got, want)
				}
			}
		})
	}
}

func TestClosingAgainTakesBackWhatPassed(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{Bypass: []filter.Bypass{filter.BypassLLDP}})
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

func TestOpenDevicePassesEveryFrame(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	l.open(t)
	checkPasses(t, from, to, allNames())
}

func allNames() (names []string) {
	for _, f := range frames {
		names = append(names, f.name)
	}
	return names
}

func TestPriorityTaggedEAPOLIsReceived(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.peer, unix.ETH_P_ALL), attach(t, l.host, 0x888e)
	l.close(t, filter.Rules{})
	from.send(frameOf("0180c2000003", "8100", "0000 888e 03050000"))
	if _, ok := to.receiveFrom(source, patience); !ok {
		t.Error("EAPOL with the tag of VLAN 0 has not arrived")
	}
}

func TestSenderCannotLieAboutProtocol(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, 0x888e), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

func TestBypassOfQueueingDisciplineIsClosed(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	from.option(unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

func TestMarkPassesOnlyWithPassMarked(t *testing.T) {
	for _, pass := range []bool{false, true} {
		t.Run(fmt.Sprint(pass), func(t *testing.T) {
			l := newLab(t)
			from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
			from.option(unix.SOL_SOCKET, unix.SO_MARK, filter.Mark)
			l.close(t, filter.Rules{PassMarked: pass})
			want := slices.Clone(allEAPOL)
			if pass {
				want = allNames()
			}
			checkPasses(t, from, to, want)
		})
	}
}

func TestOtherMarksDoNotPass(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	from.option(unix.SOL_SOCKET, unix.SO_MARK, filter.Mark+1)
	l.close(t, filter.Rules{PassMarked: true})
	checkPasses(t, from, to, allEAPOL)
}

func TestSocketForAllProtocolsStillReceivesPlainFrames(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.peer, unix.ETH_P_ALL), attach(t, l.host, unix.ETH_P_ALL)
	l.close(t, filter.Rules{PassMarked: true})
	from.send(named("IPv4"))
	if _, ok := to.receiveFrom(source, patience); !ok {
		t.Error("a SecY in clear would receive nothing")
	}
}

// The host's own stack is tried with what it sends by itself when a device comes up (neighbour discovery, multicast
// listener reports, router solicitations: within a second or two), and with a ping and a datagram.
func TestHostStackIsSilentOnClosedDevice(t *testing.T) {
	for _, closed := range []bool{true, false} {
		t.Run(fmt.Sprintf("closed=%t", closed), func(t *testing.T) {
			l := newLab(t)
			must(t, l.host.SetDown(device))
			if closed {
				l.close(t, filter.Rules{})
			}
			hears := attach(t, l.peer, unix.ETH_P_ALL)
			must(t, l.host.SetUp(device))
			l.speak(t, l.host, peerIPv4)
			d, err := l.host.Device(device)
			must(t, err)
			frame, heard := hears.receiveFrom(d.MAC, 2500*time.Millisecond)
			if heard == closed {
				t.Errorf("heard from the host: %t, %x", heard, frame)
			}
		})
	}
}

// speak sends a ping and a datagram, which may fail.
func (l lab) speak(t *testing.T, n *netlab.Namespace, to string) {
	t.Helper()
	must(t, n.Do(func() error {
		for network, address := range map[string]string{"ip4:icmp": to, "udp": net.JoinHostPort(to, "9")} {
			conn, err := net.Dial(network, address)
			if err != nil {
				return err
			}
			_, _ = conn.Write(unhex("0800 f7ff 0000 0000"))
			if err := conn.Close(); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestHostDoesNotAnswerOnClosedDevice(t *testing.T) {
	for _, closed := range []bool{true, false} {
		t.Run(fmt.Sprintf("closed=%t", closed), func(t *testing.T) {
			l := newLab(t)
			if closed {
				l.close(t, filter.Rules{})
			}
			d, err := l.host.Device(device)
			must(t, err)
			hears := attach(t, l.peer, 0x0806) // the answer to an ARP request comes first of all
			l.speak(t, l.peer, hostIPv4)
			if _, answered := hears.receiveFrom(d.MAC, time.Second); answered == closed {
				t.Errorf("answered: %t", answered)
			}
		})
	}
}

// While rules are replaced over and over, of a stream of EAPOL and plain frames every EAPOL frame and no other passes.
func TestReplacingRulesNeitherOpensNorBlocks(t *testing.T) {
	l := newLab(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	swapped := make(chan error, 1)
	go func() { swapped <- l.host.Do(func() error { return swap(100) }) }()
	for pairs := 0; ; pairs++ {
		select {
		case err := <-swapped:
			must(t, err)
			t.Logf("%d pairs of frames", pairs)
			return
		default:
			from.send(named("IPv4"))
			from.send(named("EAPOL"))
			if frame, ok := to.receiveFrom(source, patience); !ok || nameOf(frame) != "EAPOL" {
				t.Fatalf("of pair %d arrived: %t, %x", pairs, ok, frame)
			}
		}
	}
}

func swap(times int) error {
	bypasses := [][]filter.Bypass{{filter.BypassLLDP}, nil, {filter.BypassSTP, filter.BypassLACP}}
	for i := range times {
		if err := filter.Close(filter.Rules{Interface: device, Bypass: bypasses[i%len(bypasses)]}); err != nil {
			return err
		}
	}
	return nil
}

func TestClosedAndListTellWhatIsClosed(t *testing.T) {
	l := newLab(t)
	l.expect(t, false)
	l.close(t, filter.Rules{})
	l.close(t, filter.Rules{}) // again, which changes nothing
	l.expect(t, true)
	l.open(t)
	l.open(t) // again, which is no error
	l.expect(t, false)
}

func (l lab) expect(t *testing.T, closed bool) {
	t.Helper()
	var want, list []string
	if closed {
		want = []string{device}
	}
	must(t, l.host.Do(func() (err error) { list, err = filter.List(); return err }))
	if !slices.Equal(list, want) || l.closed(t) != closed {
		t.Errorf("List %q, Closed %t, want %t", list, l.closed(t), closed)
	}
}

func TestTableThatLetsEverythingPassIsNotClosed(t *testing.T) {
	l := newLab(t)
	l.close(t, filter.Rules{})
	must(t, l.host.Do(func() error { return addChain("mkad-"+device, "egress", last, nftables.ChainPolicyAccept) }))
	if l.closed(t) {
		t.Error("Closed is true though egress accepts by default")
	}
}

var last, middle = nftables.ChainPriorityLast, nftables.ChainPriorityFilter

// addChain makes, or changes, an egress chain on the device without our help.
func addChain(table, name string, priority *nftables.ChainPriority, policy nftables.ChainPolicy) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	tab := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyNetdev, Name: table})
	conn.AddChain(&nftables.Chain{Table: tab, Name: name, Type: nftables.ChainTypeFilter, Device: device,
		Hooknum: nftables.ChainHookEgress, Priority: priority, Policy: &policy})
	return conn.Flush()
}

func TestTableOfOtherVersionIsReplaced(t *testing.T) {
	l := newLab(t)
	must(t, l.host.Do(func() error { return addChain("mkad-"+device, "egress", middle, nftables.ChainPolicyAccept) }))
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

func TestTablesOfOthersStay(t *testing.T) {
	l := newLab(t)
	must(t, l.host.Do(func() error { return addChain("mine", "egress", middle, nftables.ChainPolicyDrop) }))
	l.expect(t, false)
	before := l.tables(t)
	l.close(t, filter.Rules{})
	l.close(t, filter.Rules{Bypass: []filter.Bypass{filter.BypassSTP}})
	if between := l.tables(t); !slices.Equal(between, append(before, "mkad-"+device)) {
		t.Errorf("while closed the tables are %q, before %q", between, before)
	}
	l.expect(t, true)
	l.open(t)
	if after := l.tables(t); !slices.Equal(after, before) {
		t.Errorf("afterwards the tables are %q, before %q", after, before)
	}
}

// tables lists the tables of the namespace.
func (l lab) tables(t *testing.T) (tables []string) {
	t.Helper()
	must(t, l.host.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		list, err := conn.ListTables()
		for _, table := range list {
			tables = append(tables, table.Name)
		}
		return err
	}))
	return tables
}

func TestOtherDevicesStayOpen(t *testing.T) {
	l := newLab(t)
	must(t, netlab.Join(l.host, "eth2", l.peer, "eth2"))
	l.close(t, filter.Rules{})
	var closed bool
	must(t, l.host.Do(func() (err error) { closed, err = filter.Closed("eth2"); return err }))
	if closed {
		t.Error("eth2 is closed though only eth1 was asked for")
	}
}

func TestDeviceThatReturnsCanBeClosedAgain(t *testing.T) {
	l := newLab(t)
	l.close(t, filter.Rules{})
	must(t, l.host.Remove(device))
	l.plug(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

// What becomes of the chains of a removed device depends on the kernel (they wait for its return from Linux 6.16 on).
func TestClosedIsTrueOfDeviceThatReturns(t *testing.T) {
	l := newLab(t)
	l.close(t, filter.Rules{})
	must(t, l.host.Remove(device))
	l.plug(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	want := allNames()
	if l.closed(t) {
		want = allEAPOL
	}
	checkPasses(t, from, to, want)
}

func TestNameThatMovedToAnotherDeviceCanBeClosed(t *testing.T) {
	l := newLab(t)
	l.close(t, filter.Rules{})
	rename(t, l.host)
	rename(t, l.peer)
	l.plug(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	l.close(t, filter.Rules{})
	checkPasses(t, from, to, allEAPOL)
}

// rename gives the device another name.
func rename(t *testing.T, n *netlab.Namespace) {
	t.Helper()
	must(t, n.SetDown(device))
	must(t, n.Do(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return netlink.LinkSetName(link, "old1")
	}))
}

func TestMissingDeviceIsClosedInAdvanceOrRefused(t *testing.T) {
	l := lab{host: namespace(t), peer: namespace(t)}
	err := l.host.Do(func() error { return filter.Close(filter.Rules{Interface: device}) })
	if err != nil { // a kernel before 6.16
		if !strings.Contains(err.Error(), filter.ErrNoDevice.Error()) {
			t.Fatal(err)
		}
		return
	}
	l.plug(t)
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	checkPasses(t, from, to, allEAPOL)
}

func TestFilterOutlivesWhoMadeIt(t *testing.T) {
	l := newLab(t)
	must(t, l.host.Do(func() error { return closeElsewhere(t) }))
	from, to := attach(t, l.host, unix.ETH_P_ALL), attach(t, l.peer, unix.ETH_P_ALL)
	checkPasses(t, from, to, allEAPOL)
}

const closeOnly = "MKAD_TEST_CLOSE_ONLY"

// closeElsewhere closes the device from another process, which has ended when it returns.
func closeElsewhere(t *testing.T) error {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCloseOnly$")
	cmd.Env = append(os.Environ(), closeOnly+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	return err
}

func TestCloseOnly(t *testing.T) {
	if os.Getenv(closeOnly) != "" {
		must(t, filter.Close(filter.Rules{Interface: device}))
	}
}

func TestClosesInUserNamespaceOfItsOwn(t *testing.T) {
	const inside = "^(TestClosedDeviceSendsOnlyWhatPasses|TestMarkPassesOnlyWithPassMarked|TestClosedAndListTellWhatIsClosed)$"
	cmd := exec.Command(os.Args[0], "-test.run="+inside, "-test.v")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: ids, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestMarkPassesOnlyWithPassMarked") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Clause: none; a chain without its rules passes nothing, one with a rule of others may pass everything.
func TestRulesThatWereChangedAreNotInForce(t *testing.T) {
	for name, order := range map[string]string{
		"flushed": "flush table netdev mkad-eth1",
		"added":   "insert rule netdev mkad-eth1 egress accept",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			rules := filter.Rules{Interface: device}
			inForce := func() (is bool) {
				t.Helper()
				must(t, l.host.Do(func() (err error) { is, err = filter.InForce(rules); return err }))
				return is
			}
			l.close(t, rules)
			if !inForce() {
				t.Fatal("not in force as it was set")
			}
			if out, err := l.host.Run(t.Context(), "nft", order); err != nil {
				t.Fatal(err, out)
			}
			if inForce() {
				t.Error("in force though somebody has changed it")
			}
			l.close(t, rules)
			if !inForce() {
				t.Error("not in force when it was closed again")
			}
		})
	}
}
