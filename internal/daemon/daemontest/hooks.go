package daemontest

import (
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"mkad/internal/daemon"
	"mkad/mka"
	"mkad/secy"
)

// Hooks have an mkad that a test binary plays begin where a link gets after years. Their names are looked for in the programs
// that are released, which must not have them.
type Hooks struct {
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

// Give has the mkad of a configuration, if it asks for its hooks by ReadHooks, live by these.
func (h Hooks) Give(config string) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return os.WriteFile(hooksFile(config), text, 0o644)
}

// ReadHooks are the hooks that the configuration's mkad was given; none if it was given none.
func ReadHooks(config string) (h Hooks, err error) {
	text, err := os.ReadFile(hooksFile(config))
	if os.IsNotExist(err) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	return h, err
}

// Into puts the hooks into what an mkad is made of. A SecY that the options open already is opened, and gets old.
func (h Hooks) Into(o *daemon.Options) {
	open := o.OpenSecY
	if open == nil {
		open = daemon.OpenSecY
	}
	o.OpenSecY = func(setup daemon.Setup) (daemon.SecY, error) {
		s, err := open(setup)
		if err != nil {
			return nil, err
		}
		return &agedSecY{SecY: s, first: h.MKADTestFirstPN, hide: h.MKADTestHidePN, every: h.MKADTestEvery}, nil
	}
	if h.MKADTestJump != 0 {
		o.Now = jumping(h.MKADTestJump)
	}
	if h.MKADTestLifetime == 0 {
		return
	}
	for i := range o.Config.Ports {
		o.Config.Ports[i].SAKLifetime = h.MKADTestLifetime
	}
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
