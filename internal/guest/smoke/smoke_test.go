package smoke

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mkad/internal/guest"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

// patience bounds what a program in an emulated guest may take.
const patience = 30 * time.Second

func newNamespace(t *testing.T) *netlab.Namespace {
	t.Helper()
	n, err := netlab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// in runs a program with arguments, written as one line, and fails the test if it fails.
func in(t *testing.T, n *netlab.Namespace, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	words := strings.Fields(line)
	out, err := n.Run(ctx, words[0], words[1:]...)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

func TestGuestBeginsWithLoopbackOnly(t *testing.T) {
	entries, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// Modules of bonding make a file there; NICs are what the machine was given.
		if e.Name() != "lo" && e.Name() != "bonding_masters" && !strings.HasPrefix(e.Name(), "eth") {
			t.Errorf("device %s is there before any test", e.Name())
		}
	}
}

func TestGuestCarriesTestdata(t *testing.T) {
	content, err := os.ReadFile("testdata/carried")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(content), "to the guest\n"; got != want {
		t.Errorf("testdata/carried has %q, want %q", got, want)
	}
}

func TestGuestKernelHasEverySuite(t *testing.T) {
	for _, suite := range []string{"gcm-aes-128", "gcm-aes-256", "gcm-aes-xpn-128", "gcm-aes-xpn-256"} {
		t.Run(suite, func(t *testing.T) {
			n := newNamespace(t)
			in(t, n, "ip link add eth1 type veth peer name eth2")
			in(t, n, "ip link add link eth1 macsec0 type macsec cipher "+suite+" encrypt on")
			if shown := in(t, n, "ip macsec show macsec0"); !strings.Contains(shown, strings.ToUpper(suite)) {
				t.Errorf("ip shows no %s: %s", suite, shown)
			}
		})
	}
}

func TestGuestKernelHasCiphers(t *testing.T) {
	n := newNamespace(t)
	in(t, n, "ip link add eth1 type veth peer name eth2")
	in(t, n, "ip link add link eth1 macsec0 type macsec")
	in(t, n, "ip macsec add macsec0 tx sa 0 pn 1 on key 01 "+strings.Repeat("0123456789abcdef", 2))
}

// User-mode Linux 6.1 is built without netdev chains: there a lower device cannot be closed.
func TestGuestKernelFiltersLowerDevices(t *testing.T) {
	n := newNamespace(t)
	in(t, n, "ip link add eth1 type veth peer name eth2")
	for _, hook := range []string{"ingress", "egress"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := n.Run(ctx, "nft", "add table netdev test; add chain netdev test "+hook+" { type filter hook "+hook+
			" device eth1 priority 0; policy drop; }; add rule netdev test "+hook+" ether type 0x88e5 accept")
		if has, want := err == nil, guesttest.Kernel() != guest.UML; has != want {
			t.Errorf("nftables chain at %s: %v, want success %v", hook, err, want)
		}
	}
}

func TestGuestKernelMakesTAP(t *testing.T) {
	file, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(file)
	request, err := unix.NewIfreq("tap0")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(file, unix.TUNSETIFF, request); err != nil {
		t.Errorf("make a TAP: %v", err)
	}
}

func TestGuestKernelMakesLinks(t *testing.T) {
	for _, kind := range []string{"bridge", "bond", "dummy", "macvlan link eth1", "vlan id 7 link eth1"} {
		t.Run(strings.Fields(kind)[0], func(t *testing.T) {
			n := newNamespace(t)
			in(t, n, "ip link add eth1 type veth peer name eth2")
			name, options, _ := strings.Cut(kind, " ")
			if id, link, found := strings.Cut(options, " link "); found {
				options = "link " + link + " x0 type " + name + " " + id
			} else {
				options = options + " x0 type " + name
			}
			in(t, n, "ip link add "+options)
		})
	}
}

func TestGuestKernelDelaysFrames(t *testing.T) {
	n := newNamespace(t)
	in(t, n, "ip link add eth1 type veth peer name eth2")
	in(t, n, "tc qdisc add dev eth1 root netem delay 10ms loss 1%")
}

// joined makes two namespaces with a wire between them, up, and addresses of its own on each end.
func joined(t *testing.T) (west, east *netlab.Namespace) {
	t.Helper()
	west, east = newNamespace(t), newNamespace(t)
	if err := netlab.Join(west, "eth1", east, "eth1"); err != nil {
		t.Fatal(err)
	}
	in(t, west, "ip link set eth1 up")
	in(t, east, "ip link set eth1 up")
	return west, east
}

func TestGuestCapturesWithTcpdump(t *testing.T) {
	west, east := joined(t)
	in(t, west, "ip address add 192.0.2.1/24 dev eth1")
	in(t, east, "ip address add 192.0.2.2/24 dev eth1")
	file := filepath.Join(guesttest.Keep(t), "east.pcap")
	ended := make(chan string, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		out, _ := east.Run(ctx, "tcpdump", "-Z", "root", "-i", "eth1", "-c", "1", "-w", file, "icmp")
		ended <- out
	}()
	for len(ended) == 0 {
		in(t, west, "ping -n -c 1 -w 5 192.0.2.2")
	}
	if out := <-ended; !strings.Contains(out, "1 packet captured") {
		t.Errorf("tcpdump says %s", out)
	}
	if info, err := os.Stat(file); err != nil || info.Size() == 0 {
		t.Errorf("the capture is %v, %v", info, err)
	}
}

func TestGuestPacketSocketsSeeTheWire(t *testing.T) {
	west, east := joined(t)
	wire, err := netlab.StartCapture(east, "eth1")
	if err != nil {
		t.Fatal(err)
	}
	in(t, west, "ip address add 192.0.2.1/24 dev eth1")
	in(t, east, "ip address add 192.0.2.2/24 dev eth1")
	in(t, west, "ping -n -c 1 -w 5 192.0.2.2")
	capture, err := wire.Stop()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(capture.Types(), netlab.EtherType(0x0800)) {
		t.Errorf("the wire carried %v, want IPv4", capture.Types())
	}
}
