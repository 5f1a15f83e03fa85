package daemon_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mkad/internal/daemon"
	"mkad/internal/daemon/daemontest"
	"mkad/internal/netlab/mkadlab"
	"mkad/mka"
	"mkad/secy"
)

// These tests make network namespaces and run whole daemons in them: they need root, or a user namespace.

// released and hooked are directories with mkad and mkactl: as they are released, and with mkad played by this test
// binary, which can be told to begin where a link gets after years.
var released, hooked string

// hooks are what a hooked mkad is told, by the file that hooksFile names.
type hooks struct {
	MKADTestFirstPN secy.PN // the first SAK's SAs begin at this packet number; 0: at 1
	MKADTestHidePN  bool    // MKA is not told how far the packet numbers have come, so that it never makes another SAK
	// MKADTestJump is by how much the clock that MKA lives by goes on at SIGUSR1, as it does while a machine is suspended.
	MKADTestJump  time.Duration
	MKADTestEvery bool // every SAK's SAs begin at MKADTestFirstPN, not only the first's
	// MKADTestLifetime is a sak_lifetime that no configuration may have; 0: that of the configuration.
	MKADTestLifetime time.Duration
}

// hooksFile is the file of a host's hooks, beside its configuration.
func hooksFile(config string) string { return filepath.Join(filepath.Dir(config), "hooks.json") }

// hook tells the hooked mkads of a link.
func hook(t *testing.T, l *mkadlab.Link, h hooks) {
	t.Helper()
	for _, host := range l.Hosts() {
		writeHooks(t, host, h)
	}
}

// writeHooks tells the hooked mkad of a host.
func writeHooks(t *testing.T, host *mkadlab.Host, h hooks) {
	t.Helper()
	text, err := json.Marshal(h)
	must(t, err)
	must(t, os.WriteFile(hooksFile(host.ConfigFile()), text, 0o644))
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mkad" {
		os.Exit(play(os.Args[2]))
	}
	waitTogether()
	os.Exit(build(m))
}

// waitTogether has more tests at a time than there are processors: they wait for MKA's timers, and compute little.
func waitTogether() {
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
}

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mkad-daemon-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make directory for programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	released, hooked = filepath.Join(dir, "released"), filepath.Join(dir, "hooked")
	if err := buildPrograms(); err != nil {
		fmt.Fprintln(os.Stderr, "build programs:", err)
		return 1
	}
	return m.Run()
}

func buildPrograms() error {
	out, err := exec.Command("go", "build", "-o", released+"/", "mkad/cmd/mkad", "mkad/cmd/mkactl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Mkdir(hooked, 0o755); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(hooked, "mkad")); err != nil {
		return err
	}
	return os.Symlink(filepath.Join(released, "mkactl"), filepath.Join(hooked, "mkactl"))
}

// play is mkad with hooks.
func play(path string) int {
	return daemontest.Play(path, func(o *daemon.Options) error {
		var h hooks
		text, err := os.ReadFile(hooksFile(path))
		switch {
		case os.IsNotExist(err):
			return nil
		case err == nil:
			err = json.Unmarshal(text, &h)
		}
		o.OpenSecY = func(s daemon.Setup) (daemon.SecY, error) { return openAged(s, h) }
		o.Now = jumping(h.MKADTestJump)
		if h.MKADTestLifetime == 0 {
			return err
		}
		for i := range o.Config.Ports {
			o.Config.Ports[i].SAKLifetime = h.MKADTestLifetime
		}
		return err
	})
}

// jumping is a clock that jumps at each SIGUSR1.
func jumping(by time.Duration) func() mka.Time {
	begun := time.Now()
	var ahead atomic.Int64
	jumps := make(chan os.Signal, 1)
	signal.Notify(jumps, syscall.SIGUSR1)
	go func() {
		for range jumps {
			ahead.Add(int64(by))
		}
	}()
	return func() mka.Time { return mka.Time(int64(time.Since(begun)) + ahead.Load()) }
}

func openAged(setup daemon.Setup, h hooks) (daemon.SecY, error) {
	s, err := daemon.OpenSecY(setup)
	if err != nil {
		return nil, err
	}
	return &agedSecY{SecY: s, first: h.MKADTestFirstPN, hide: h.MKADTestHidePN, every: h.MKADTestEvery}, nil
}

// agedSecY begins with a SAK that has been used for long.
type agedSecY struct {
	daemon.SecY
	first secy.PN
	key   secy.KeyID // the first
	hide  bool
	every bool // SAK has been
}

func (s *agedSecY) Apply(op secy.Op, dst []secy.Report) []secy.Report {
	if op.Kind == secy.OpCreateReceiveSA || op.Kind == secy.OpCreateTransmitSA {
		if s.key.IsZero() {
			s.key = op.Key
		}
		if (op.Key == s.key || s.every) && s.first != 0 {
			op.PN = s.first
		}
	}
	return s.SecY.Apply(op, dst)
}

func (s *agedSecY) PN(key secy.KeyID) (secy.PN, bool) {
	if s.hide {
		return 0, false
	}
	return s.SecY.PN(key)
}

func (s *agedSecY) Reports() <-chan secy.Report {
	if s.hide {
		return nil
	}
	return s.SecY.Reports()
}
