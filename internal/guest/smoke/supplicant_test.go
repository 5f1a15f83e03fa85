package smoke

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
)

// supplicantConfig has what a user of pre-shared keys writes, and no more but the priority, so that it is known who is
// key server.
const supplicantConfig = `eapol_version=3
ap_scan=0
network={
	key_mgmt=NONE
	eapol_flags=0
	macsec_policy=1
	mka_cak=%s
	mka_ckn=%02x
	mka_priority=%d
}
`

// TestGuestSupplicantsSecureEachOther is the peer that everybody has, on the kernel's SecY, by itself.
func TestGuestSupplicantsSecureEachOther(t *testing.T) {
	west, east := joined(t)
	startSupplicant(t, west, "west", 16)
	startSupplicant(t, east, "east", 32)
	waitFor(t, west, "macsec0")
	waitFor(t, east, "macsec0")
	in(t, west, "ip address add 192.0.2.1/24 dev macsec0")
	in(t, east, "ip address add 192.0.2.2/24 dev macsec0")
	in(t, west, "ping -n -c 3 -i 0.2 -w 20 192.0.2.2")
	if shown := in(t, west, "ip macsec show macsec0"); !strings.Contains(shown, "RXSC") {
		t.Errorf("the kernel has no peer: %s", shown)
	}
}

func startSupplicant(t *testing.T, n *netlab.Namespace, name string, priority int) {
	t.Helper()
	dir := guesttest.Keep(t)
	config := filepath.Join(t.TempDir(), name+".conf")
	text := fmt.Sprintf(supplicantConfig, strings.Repeat("0123456789abcdef", 2), 1, priority)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	if _, err := n.Start(log, "wpa_supplicant", "-D", "macsec_linux", "-i", "eth1", "-c", config, "-d"); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until a device of the namespace is up: wpa_supplicant makes it first and brings it up when secured.
func waitFor(t *testing.T, n *netlab.Namespace, device string) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	deadline := time.After(patience)
	for {
		if strings.Contains(in(t, n, "ip -o link show"), device+"@eth1: <BROADCAST,MULTICAST,UP,LOWER_UP>") {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s is not up after %v: %s", device, patience, in(t, n, "ip link show"))
		case <-look.C:
		}
	}
}
