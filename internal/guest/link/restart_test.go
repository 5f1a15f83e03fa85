package link

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// restarts is how often a test restarts mkad with mkad as its peer; with wpa_supplicant two for each five.
var restarts = flag.Int("restarts", 2, "how many restarts a test of restarts makes in each role")

// restartTime is how long a restart is given, in which an old key retires, before the next.
const restartTime = 4 * time.Second

// Clause: 802.1X-2020 9.4.2; design decision 3: a restart loses nothing on the kernel's SecY, whoever is key server. The
// same streams without a restart lose nothing either.
func TestGuestRestartsUnderTrafficLoseNothing(t *testing.T) {
	l := newLink(t, "", "")
	must(t, l.Secure(t.Context()))
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	pass(restartTime)
	for _, streams := range [][]*netlab.Stream{there, back} {
		losesNothing(t, streams)
	}
	for _, h := range l.Hosts() {
		role := "follower"
		if port(t, h).KeyServer {
			role = "key server"
		}
		t.Run(role, func(t *testing.T) {
			there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
			for i := range *restarts {
				restart(t, h, i)
			}
			losesNothing(t, there)
			losesNothing(t, back)
		})
	}
}

// Clause: 802.1X-2020 9.4.2; the same with the peer that everybody has. What wpa_supplicant sends while it changes its key
// is not judged: see TestGuestSupplicantRekeysUnderTrafficLoseNothing.
func TestGuestRestartsBesideSupplicantLoseNothing(t *testing.T) {
	for role, more := range map[string]string{"key server": "", "follower": "\tmka_priority=0\n"} {
		t.Run(role, func(t *testing.T) {
			l := newLink(t, "", "")
			must(t, l.West.StartDaemon(t.Context()))
			must(t, l.Connect())
			startSupplicant(t, l.East, l.KeyFile, more)
			must(t, l.West.WaitFor(t.Context(), control.Secured))
			waitFor(t, "wpa_supplicant's Controlled Port", func() bool {
				d, err := l.East.Device(mkadlab.Controlled)
				return err == nil && d.Carrier
			})
			if server := port(t, l.West).KeyServer; server != (role == "key server") {
				t.Fatalf("key server: %t", server)
			}
			there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
			for i := range max(1, *restarts*2/5) {
				restart(t, l.West, i)
			}
			losesNothing(t, there)
			if role == "follower" {
				losesNothing(t, back)
				return
			}
			for _, s := range back {
				r, err := s.Stop()
				must(t, err)
				t.Log("from wpa_supplicant:", r)
				if r.Lost() > uint64(*restarts) {
					t.Errorf("more than one frame for each restart: %s", r)
				}
			}
		})
	}
}

// Clause: none; design decision 3: an upgrade is another program under the same name, put there while the old one runs, and
// then a restart.
func TestGuestUpgradeUnderTrafficLosesNothing(t *testing.T) {
	programs := t.TempDir()
	mkad, err := exec.LookPath("mkad")
	must(t, err)
	mkactl, err := exec.LookPath("mkactl")
	must(t, err)
	must(t, os.Symlink(mkactl, filepath.Join(programs, "mkactl")))
	program, err := os.ReadFile(mkad)
	must(t, err)
	install := func(version string) {
		t.Helper()
		fresh := filepath.Join(programs, "mkad.new")
		must(t, os.WriteFile(fresh, append(program, version...), 0o755)) // what follows the sections is nobody's
		must(t, os.Rename(fresh, filepath.Join(programs, "mkad")))
	}
	install("version 1")
	l := newLinkOf(t, programs, "", "")
	must(t, l.Secure(t.Context()))
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	for i, h := range l.Hosts() {
		install(fmt.Sprint("version ", i+2))
		pass(restartTime) // with its program gone from the disk
		restart(t, h, 2*i)
		running, err := os.ReadFile(fmt.Sprintf("/proc/%d/exe", h.Daemon().PID()))
		must(t, err)
		if !bytes.HasSuffix(running, fmt.Append(nil, "version ", i+2)) {
			t.Errorf("%s does not run what was installed", h.Name)
		}
	}
	losesNothing(t, there)
	losesNothing(t, back)
}

// Clause: none; what a NIC protects goes on too.
func TestGuestNetdevsimRestartLosesNothing(t *testing.T) {
	const closed = `backend = "offload-mac"`
	l := newOffloadLink(t, closed, closed)
	must(t, l.Secure(t.Context()))
	there, back := startSenders(t, l.West, l.East), startSenders(t, l.East, l.West)
	for i, h := range l.Hosts() {
		restart(t, h, i)
	}
	losesNothing(t, there)
	losesNothing(t, back)
}

// pass lets time pass.
func pass(d time.Duration) { <-time.NewTimer(d).C }

// restart ends the host's mkad, by SIGTERM and by SIGKILL in turn, and starts another, which must go on as the same
// participant. Nobody who watches the Controlled Port may see more of it than that it is there.
func restart(t *testing.T, h *mkadlab.Host, i int) {
	t.Helper()
	sig := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2]
	before := port(t, h)
	seen := monitor(t, h)
	h.Daemon().Signal(sig)
	<-h.Daemon().Ended()
	must(t, h.StartDaemon(t.Context()))
	must(t, h.WaitFor(t.Context(), control.Secured))
	pass(restartTime)
	after := port(t, h)
	if after.Participants[0].MI != before.Participants[0].MI || after.State != control.Secured || after.SCI != before.SCI {
		t.Errorf("%v: before %+v\nafter %+v; its log:\n%s", sig, before, after, h.Log())
	}
	if after.KeyServer == (after.Tx.KI == before.Tx.KI) {
		t.Errorf("%v: key server %t, key %s after %s", sig, after.KeyServer, after.Tx.KI, before.Tx.KI)
	}
	for _, name := range []string{"InPktsOK", "OutPktsEncrypted"} {
		if before.Backend == "kernel" && after.Counters[name] < before.Counters[name] {
			t.Errorf("%v: %s was %d and is %d", sig, name, before.Counters[name], after.Counters[name])
		}
	}
	seen(func(line string) {
		if strings.Contains(line, "Deleted") || strings.Contains(line, "DORMANT") || strings.Contains(line, "state DOWN") {
			t.Errorf("%v: the Controlled Port was seen as %s", sig, line)
		}
	})
}

// monitor notes what the kernel tells of the Controlled Port, until it is asked for each line of it.
func monitor(t *testing.T, h *mkadlab.Host) func(each func(line string)) {
	t.Helper()
	path := filepath.Join(guesttest.Keep(t), fmt.Sprintf("%s-%d.monitor", h.Name, time.Now().UnixNano()))
	file, err := os.Create(path)
	must(t, err)
	p, err := h.Start(file, "ip", "-o", "monitor", "link")
	must(t, err)
	return func(each func(line string)) {
		p.Kill()
		<-p.Ended()
		must(t, file.Close())
		text, err := os.ReadFile(path)
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, mkadlab.Controlled) {
				each(line)
			}
		}
	}
}
