package hardware

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mkad/internal/guest/guesttest"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

// patience bounds what a program in an emulated guest may take.
const patience = 30 * time.Second

// run runs a line of bash and fails the test if it fails. It also serves for cleaning up, when the test's context ended.
func run(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
	return string(out)
}

// devices names the network devices that a pattern of /sys means, in the order of the pattern's matches.
func devices(t *testing.T, pattern string, want int) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != want {
		t.Fatalf("found %q, want %d devices", found, want)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func TestGuestNICsShareAWire(t *testing.T) {
	nics := devices(t, "/sys/bus/pci/drivers/e1000/*/net/*", 2)
	run(t, "ip netns add east; ip link set "+nics[1]+" netns east")
	t.Cleanup(func() { run(t, "ip netns delete east") })
	run(t, "ip address add 192.0.2.1/24 dev "+nics[0]+"; ip link set "+nics[0]+" up")
	run(t, "ip -n east address add 192.0.2.2/24 dev "+nics[1]+"; ip -n east link set "+nics[1]+" up")
	run(t, "ping -n -c 1 -w 20 192.0.2.2")
}

func TestGuestNetdevsimOffloadsMACsec(t *testing.T) {
	if err := os.WriteFile("/sys/bus/netdevsim/new_device", []byte("1 1"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile("/sys/bus/netdevsim/del_device", []byte("1"), 0); err != nil {
			t.Error(err)
		}
	})
	device := devices(t, "/sys/bus/netdevsim/devices/netdevsim1/net/*", 1)[0]
	run(t, "ip link add link "+device+" macsec0 type macsec offload mac")
	if shown := run(t, "ip macsec show macsec0"); !strings.Contains(shown, "offload: mac") {
		t.Errorf("ip shows no offload: %s", shown)
	}
}
