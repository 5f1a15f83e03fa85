package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/control"
	"mkad/internal/explain"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// noon is when the tests of keys begin.
var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// A heldClock stands still until a test moves it.
type heldClock struct {
	now  time.Time
	sync bool
}

func (c *heldClock) Now() time.Time                  { return c.now }
func (c *heldClock) Until(t time.Time) time.Duration { return t.Sub(c.now) }
func (c *heldClock) Synchronized() bool              { return c.sync }

// A keyed is a port that has nothing but keys, a KaY and a clock that the test holds.
type keyed struct {
	port
	clock heldClock
	log   bytes.Buffer
	feed  *control.Subscription
}

// newKeyed makes one with the keys that are given, at noon.
func newKeyed(t *testing.T, keys ...config.Key) *keyed {
	t.Helper()
	k := &keyed{clock: heldClock{now: noon, sync: true}}
	k.port.d = &Daemon{opts: Options{Now: func() mka.Time { return mka.Time(k.clock.now.UnixNano()) }, Clock: &k.clock}}
	k.feed = k.port.d.Subscribe()
	t.Cleanup(k.feed.Close)
	k.port.log = slog.New(slog.NewTextHandler(&k.log, nil))
	kay, err := mka.New(mka.Config{SCI: 1, CipherSuites: []secy.CipherSuite{secy.GCMAES128}, Rand: zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	k.kay, k.keys = kay, keys
	k.scheduleKeys()
	return k
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// key makes the n-th key, valid for as long from noon on; a negative end is none.
func key(t *testing.T, n byte, start, end time.Duration) config.Key {
	t.Helper()
	ckn, err := keyderive.NewCKN([]byte{n})
	if err != nil {
		t.Fatal(err)
	}
	cak, err := keyderive.NewCAK(bytes.Repeat([]byte{n, n + 1}, 8))
	if err != nil {
		t.Fatal(err)
	}
	k := config.Key{CKN: ckn, CAK: cak, Role: config.Primary, Start: noon.Add(start)}
	if end >= 0 {
		k.End = noon.Add(end)
	}
	return k
}

func fallback(k config.Key) config.Key {
	k.Role = config.Fallback
	return k
}

// ended lets a key have ended so long before noon.
func ended(k config.Key, ago time.Duration) config.Key {
	k.End = noon.Add(-ago)
	return k
}

// at moves the clock to so long after noon, and tells what the port does with its keys then: of each that has a
// participant the CKN, in brackets when it is on standby.
func (k *keyed) at(d time.Duration) string {
	k.clock.now = noon.Add(d)
	k.scheduleKeys()
	var all []string
	for _, p := range k.kay.Status(k.now()).Participants {
		name := p.CKN.String()
		if p.Standby {
			name = "(" + name + ")"
		}
		all = append(all, name)
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(strings.Trim(a, "()"), strings.Trim(b, "()")) })
	return strings.Join(all, " ")
}

// told are the events of a name since the last call, by CKN and reason.
func (k *keyed) told(event string) (all []string) {
	k.port.d.Publish(control.Event{Event: "asked"})
	for {
		e, err := k.feed.Next(context.Background())
		switch {
		case err != nil || e.Event == "asked":
			return all
		case e.Event == event:
			all = append(all, e.CKN+e.Reason)
		}
	}
}

// Clause: 802.1X-2020 9.3.2; design: a key has a participant a minute before its start and after its end
func TestKeysComeAndGoByTheClockWithATolerance(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, 10*time.Minute), key(t, 2, 10*time.Minute, 20*time.Minute), key(t, 3, 40*time.Minute, -1),
		key(t, 4, 50*time.Minute, 50*time.Minute+time.Second))
	for _, step := range []struct {
		at   time.Duration
		want string
	}{
		{0, "01"},
		{9*time.Minute - 1, "01"},
		{9 * time.Minute, "01 (02)"},
		{10*time.Minute - 1, "01 (02)"},
		{10 * time.Minute, "(01) 02"},
		{11*time.Minute - 1, "(01) 02"},
		{11 * time.Minute, "02"},
		{20 * time.Minute, "(02)"},
		{21 * time.Minute, ""},
		{39 * time.Minute, "(03)"},
		{40 * time.Minute, "03"},
		{49 * time.Minute, "03 (04)"},
		{50 * time.Minute, "03 04"},
		{50*time.Minute + time.Second, "03 (04)"},
		{55 * time.Minute, "03"},
		{time.Hour * 24 * 365, "03"},
		{10 * time.Minute, "(01) 02"}, // somebody sets the clock back
	} {
		if got := k.at(step.at); got != step.want {
			t.Errorf("%v after noon: %q, want %q", step.at, got, step.want)
		}
	}
	if got := k.told(control.EventKeyStart); !slices.Equal(got, []string{"01", "02", "03", "04", "02"}) {
		t.Errorf("told that %q start", got)
	}
}

// Clause: none; a key starts and ends when its file says so, whenever the port looks next.
func TestKeysAreLookedAtWhenTheNextOneBeginsOrEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		key  config.Key
		want time.Duration
	}{
		{"has begun long ago", key(t, 1, -time.Hour, -1), keyCheckTime},
		{"starts soon", key(t, 1, 3*time.Second, -1), 3 * time.Second},
		{"speaks soon", key(t, 1, keyTolerance+4*time.Second, -1), 4 * time.Second},
		{"ends soon", key(t, 1, -time.Hour, 2*time.Second), 2 * time.Second},
		{"is silent soon", ended(key(t, 1, -time.Hour, 0), keyTolerance-5*time.Second), 5 * time.Second},
		{"has ended", ended(key(t, 1, -time.Hour, 0), time.Minute), keyCheckTime},
		{"is to be warned of soon", key(t, 1, -time.Hour, 24*time.Hour+6*time.Second), 6 * time.Second},
	} {
		k := newKeyed(t, c.key)
		if got := k.untilBoundary(noon); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Clause: none; design: a chain that runs out warns a week, a day and an hour before
func TestChainThatRunsOutWarnsThreeTimes(t *testing.T) {
	const day = 24 * time.Hour
	k := newKeyed(t, key(t, 1, -time.Hour, 20*day), key(t, 2, 19*day, 30*day), fallback(key(t, 3, -time.Hour, -1)))
	for _, step := range []struct {
		at   time.Duration
		warn string
	}{
		{0, ""}, {20 * day, ""}, {23*day - 1, ""},
		{23 * day, "in 7 days"}, {24 * day, ""},
		{29 * day, "in 24 hours"}, {29*day + time.Hour, ""},
		{30*day - time.Hour, "in 60 minutes"}, {30*day - 1, ""},
	} {
		k.at(step.at)
		got := k.told(control.EventKeyChain)
		switch {
		case step.warn == "" && len(got) > 0:
			t.Errorf("%v after noon: warned %q", step.at, got)
		case step.warn != "" && (len(got) != 1 || !strings.Contains(got[0], step.warn) || !strings.Contains(got[0], "fallback")):
			t.Errorf("%v after noon: warned %q, want %q", step.at, got, step.warn)
		}
		if said := len(k.keyWarnings(&explain.Evidence{})) > 0; said != (step.at >= 23*day) {
			t.Errorf("%v after noon: the status says %q", step.at, k.keyWarnings(&explain.Evidence{}))
		}
	}
	if n := strings.Count(k.log.String(), "the key chain ends"); n != 3 {
		t.Errorf("%d lines of log:\n%s", n, k.log.String())
	}
	k.keys = append(k.keys, key(t, 4, 30*day, -1))
	if k.at(30*day - 1); len(k.keyWarnings(&explain.Evidence{})) > 0 {
		t.Errorf("after another key was added the status says %q", k.keyWarnings(&explain.Evidence{}))
	}
}

// Clause: 802.1X-2020 9.14; design: a fallback key is never used silently, not even while the principal is another already
// Requirement: R102
func TestFallbackIsWarnedOfAsLongAsItsSAKIsInUse(t *testing.T) {
	primary, spare := key(t, 1, -time.Hour, -1), fallback(key(t, 9, -time.Hour, -1))
	k := newKeyed(t, primary, spare)
	k.at(0)
	live := []mka.ParticipantStatus{{CKN: primary.CKN, Peers: []mka.PeerStatus{{Live: true}}}}
	for _, c := range []struct {
		status mka.Status
		want   string
	}{
		{mka.Status{TxCKN: primary.CKN, Participants: live}, ""},
		{mka.Status{TxCKN: spare.CKN}, "no primary key has a live peer"},
		{mka.Status{TxCKN: spare.CKN, Participants: live}, fmt.Sprintf("the primary key %s has live peers, and no SAK of it is in use yet", primary.CKN)},
	} {
		got := k.keyWarnings(&explain.Evidence{MKA: c.status})
		if c.want == "" && len(got) != 0 || c.want != "" && !slices.Equal(got, []string{fmt.Sprintf("the fallback key %s is in use: %s", spare.CKN, c.want)}) {
			t.Errorf("warned %q, want %q", got, c.want)
		}
	}
}

// Clause: none; design: explain. A reason that another key has mended is not told on.
// Requirement: R119
func TestAnotherKeyForgetsWhoSpokeWithOthers(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, -1))
	k.at(0)
	k.seen.Note(mka.Event{Kind: mka.EventDiscarded, Discard: eapol.DiscardICV}, k.now())
	e := explain.Evidence{Seen: &k.seen, Now: k.now()}
	if e.Refused() == "" {
		t.Error("nobody is refused")
	}
	k.keys = append(k.keys, key(t, 2, -time.Hour, -1))
	if k.at(0); e.Refused() != "" {
		t.Errorf("still said: %q", e.Refused())
	}
}

// Clause: 802.1X-2020 9.14; design: that the other side lacks the next key is told before the one in use ends
// Requirement: R101
func TestSuccessorThatPeersDoNotHaveIsWarnedOf(t *testing.T) {
	cur, next := key(t, 1, -time.Hour, 2*time.Hour), key(t, 2, -time.Minute, -1)
	in := func(k config.Key, principal bool, live ...secy.SCI) mka.ParticipantStatus {
		p := mka.ParticipantStatus{CKN: k.CKN, Principal: principal}
		for _, sci := range live {
			p.Peers = append(p.Peers, mka.PeerStatus{SCI: sci, Live: true})
		}
		return p
	}
	short := key(t, 3, -time.Hour, time.Hour)
	for name, c := range map[string]struct {
		keys []mka.ParticipantStatus
		want bool
	}{
		"none has it":                {[]mka.ParticipantStatus{in(cur, true, 1, 2), in(next, false)}, true},
		"one has it":                 {[]mka.ParticipantStatus{in(cur, true, 1, 2), in(next, false, 2)}, true},
		"all have it":                {[]mka.ParticipantStatus{in(cur, true, 1, 2), in(next, false, 2, 1)}, false},
		"only one that ends earlier": {[]mka.ParticipantStatus{in(cur, true, 1), in(short, false)}, false},
		"the next is in use":         {[]mka.ParticipantStatus{in(cur, false), in(next, true, 1)}, false},
	} {
		k := newKeyed(t, cur, next, short)
		k.at(0)
		k.givenAt = 0
		got := strings.Join(k.keyWarnings(&explain.Evidence{MKA: mka.Status{Participants: c.keys}}), "; ")
		if strings.Contains(got, fmt.Sprintf("the key in use, %s, ends at 2", cur.CKN)) != c.want {
			t.Errorf("%s: warned %q", name, got)
		}
		k.givenAt = k.now()
		if k.cfg.LifeTime = time.Second; k.successorWarning(mka.Status{Participants: c.keys}, noon) != "" {
			t.Errorf("%s: warned before the peers can be live", name)
		}
	}
}

// Clause: none; design: a fallback key is never used silently, whatever keeps the primary ones from use
// Requirement: R102
func TestWhatKeepsThePrimaryKeysFromUseIsNamed(t *testing.T) {
	spare := fallback(key(t, 9, 0, -1))
	for want, keys := range map[string][]config.Key{
		"there is no primary key in eth1.toml":          {spare},
		"no primary key of eth1.toml is valid now":      {spare, ended(key(t, 1, -time.Hour, -1), time.Minute), key(t, 2, time.Hour, -1)},
		"no primary key has a live peer":                {ended(key(t, 1, -time.Hour, -1), time.Minute), key(t, 2, -time.Hour, -1), spare},
		"no primary key has a live peer, it begins now": {key(t, 1, 0, time.Minute), spare},
	} {
		k := newKeyed(t, keys...)
		k.cfg.Keys = "eth1.toml"
		if got := k.primaryLack(&explain.Evidence{}, noon); !strings.HasPrefix(want, got) {
			t.Errorf("said %q, want %q", got, want)
		}
		var seen explain.Seen
		seen.Note(mka.Event{Kind: mka.EventDiscarded, Discard: eapol.DiscardICV, CKN: keys[0].CKN}, 0)
		if got := k.primaryLack(&explain.Evidence{Seen: &seen}, noon); strings.Contains(want, "live peer") != strings.Contains(got, "with another CAK") {
			t.Errorf("with another CAK on the other side: said %q", got)
		}
	}
}

// Clause: none; design: the status has the keys that are to start, which no participant shows yet
// Requirement: R119
func TestKeysThatAreToStartAreListedInTheirOrder(t *testing.T) {
	keys := []config.Key{key(t, 4, 2*time.Hour, -1), key(t, 1, -time.Hour, time.Hour), fallback(key(t, 3, time.Hour, 3*time.Hour)),
		key(t, 2, keyTolerance, -1), ended(key(t, 5, -time.Hour, -1), time.Minute)}
	want := []control.Key{{CKN: "03", Role: "fallback", Start: "2026-12-01T13:00:00Z", End: "2026-12-01T15:00:00Z"},
		{CKN: "04", Role: "primary", Start: "2026-12-01T14:00:00Z"}}
	if got := nextKeys(keys, noon); !slices.Equal(got, want) {
		t.Errorf("listed %+v, want %+v", got, want)
	}
}

// Clause: none; design: a gap in a chain is told as its end is
func TestGapInAChainIsNamed(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, time.Minute), key(t, 2, time.Hour, -1))
	if got := k.told(control.EventKeyChain); len(got) != 1 || !strings.Contains(got[0], "the next starts only at 2026-12-01T13:00:00Z") {
		t.Errorf("warned %q", got)
	}
}

// Clause: none; design, decision 6: while the clock is not synchronised, the last key in use stays
func TestLastKeyInUseStaysWhileTheClockIsNotSynchronised(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, time.Minute), key(t, 2, -time.Hour, 2*time.Minute))
	k.publish(mka.Event{Kind: mka.EventPrincipal, CKN: k.keys[0].CKN})
	k.clock.sync = false
	if got := k.at(90 * time.Second); got != "(01) 02" { // by its clock there is a valid one
		t.Errorf("%q", got)
	}
	if got := k.at(time.Hour); got != "01" {
		t.Errorf("%q, want the last in use", got)
	}
	if w := k.keyWarnings(&explain.Evidence{}); len(w) != 1 || !strings.Contains(w[0], "not synchronised") || len(k.told(control.EventKeyClock)) != 1 {
		t.Errorf("the status says %q", w)
	}
	k.clock.sync = true
	if got := k.at(time.Hour + time.Second); got != "" || len(k.keyWarnings(&explain.Evidence{})) != 0 {
		t.Errorf("%q when the clock is right, the status says %q", got, k.keyWarnings(&explain.Evidence{}))
	}
}

// Clause: none; design, decision 6: a box without a battery clock starts in 1970, and does not know which key was in use
func TestEveryKeyIsUsedWhileTheClockHasNeverBeenRight(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, time.Minute), key(t, 2, time.Minute, time.Hour))
	k.clock.sync = false
	if got := k.at(time.Unix(0, 0).Sub(noon)); got != "01 02" {
		t.Errorf("%q, want both", got)
	}
}

// Clause: none; design: a roll-over is no cause for alarm, the loss of a peer is
func TestPeersOfAKeyThatHasEndedGoQuietly(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, -1), ended(key(t, 2, -time.Hour, -1), keyTolerance/2))
	for _, c := range []struct {
		key    int
		reason string
		want   string
	}{
		{0, mka.ReasonSilent, "WARN"}, {0, "restarted", "WARN"}, {0, mka.ReasonRemoved, "INFO"},
		{1, mka.ReasonSilent, "INFO"}, {1, mka.ReasonRemoved, "INFO"},
	} {
		k.log.Reset()
		k.publish(mka.Event{Kind: mka.EventPeerLost, CKN: k.keys[c.key].CKN, Peer: 7, Reason: c.reason})
		if got := k.log.String(); !strings.Contains(got, "level="+c.want+" msg=peer-lost") {
			t.Errorf("key %d, %s: the log says %q, want %s", c.key, c.reason, got, c.want)
		}
	}
}

// Clause: none; design: the fallback is never used silently
func TestFallbackInUseIsLoudInTheLog(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, -1), fallback(key(t, 2, -time.Hour, -1)))
	k.log.Reset()
	k.publish(mka.Event{Kind: mka.EventPrincipal, CKN: k.keys[1].CKN, Reason: "no primary key has a live peer"})
	if got := k.log.String(); !strings.Contains(got, "level=WARN msg=principal ckn=02") {
		t.Errorf("the log says %q", got)
	}
	k.publish(mka.Event{Kind: mka.EventPrincipal, CKN: k.keys[0].CKN})
	if got := k.log.String(); !strings.Contains(got, "level=INFO msg=principal ckn=01") {
		t.Errorf("the log says %q", got)
	}
	if got := k.told("principal"); !slices.Equal(got, []string{"02no primary key has a live peer", "01"}) {
		t.Errorf("told %q", got)
	}
}

// Clause: none; a key that is in the file as before keeps its participant, whatever else of it has changed.
func TestRoleAndLifetimeChangeWithoutANewParticipant(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, -1), key(t, 2, -time.Hour, -1))
	was := k.kay.Status(k.now()).Participants
	k.replaceKeys([]config.Key{fallback(key(t, 1, -2*time.Hour, time.Hour)), key(t, 2, -time.Hour, -1)})
	k.at(0)
	after := k.kay.Status(k.now()).Participants
	if len(after) != 2 || after[0].MI != was[0].MI || after[0].Role != mka.Fallback || after[1].MI != was[1].MI {
		t.Errorf("before %+v\nafter %+v", was, after)
	}
	other := key(t, 2, -time.Hour, -1)
	other.CAK = key(t, 9, 0, -1).CAK
	k.replaceKeys([]config.Key{other})
	if got := k.at(0); got != "02" || k.kay.Status(k.now()).Participants[0].MN != 0 {
		t.Errorf("with another CAK: %q", got)
	}
}

// Clause: none; design: bad input gets one line that names the line and the key
func TestNoValidKeyIsBlamedOnTheTimeThatIsWrong(t *testing.T) {
	const head = "[[key]]\nckn = \"%02x\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n"
	for _, c := range []struct {
		name string
		keys []string // what follows ckn and cak of each
		want string   // "": nothing is wrong
	}{
		{"valid", []string{"start = 2020-01-01T00:00:00Z\nend = 2027-01-01T00:00:00Z\n"}, ""},
		{"for ever", []string{""}, ""},
		{"ended", []string{"start = 2020-01-01T00:00:00Z\nend = 2021-01-01T00:00:00Z\n"},
			":5: warning: key.end: no key is valid now: the last ended at 2021-01-01T00:00:00Z"},
		{"all ended", []string{"end = 2021-01-01T00:00:00Z\n", "end = 2022-01-01T00:00:00Z\n", "end = 2020-01-01T00:00:00Z\n"},
			":8: warning: key.end: no key is valid now: the last ended at 2022-01-01T00:00:00Z"},
		{"one to come", []string{"end = 2021-01-01T00:00:00Z\n", "start = 2028-01-01T00:00:00Z\n", "start = 2027-01-01T00:00:00Z\n"},
			":12: warning: key.start: no key is valid now: the next begins at 2027-01-01T00:00:00Z"},
	} {
		path, text := filepath.Join(t.TempDir(), "eth1.toml"), ""
		for i, rest := range c.keys {
			text += fmt.Sprintf(head, i) + rest
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, problems := loadKeys(path, noon)
		switch {
		case len(keys) != len(c.keys) || len(problems) > 1:
			t.Errorf("%s: %d keys, %v", c.name, len(keys), problems)
		case (len(problems) == 0) != (c.want == ""), len(problems) == 1 && !strings.HasPrefix(problems[0].String(), path+c.want):
			t.Errorf("%s: %v, want %q", c.name, problems, c.want)
		}
	}
}

// Clause: none; a CAK file that was bad is told to be good again, once.
func TestFileThatIsPutRightIsLogged(t *testing.T) {
	const good = "[[key]]\nckn = \"01\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n"
	k := newKeyed(t)
	k.cfg.Keys = filepath.Join(t.TempDir(), "eth1.toml")
	for _, step := range []struct {
		text string
		told int // so far
	}{{good, 0}, {good + "rubbish\n", 0}, {good, 1}, {good, 1}} {
		if err := os.WriteFile(k.cfg.Keys, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		k.reloadKeys()
		if n := strings.Count(k.log.String(), "level=INFO msg=\"CAK file is good again\" keys=1"); n != step.told {
			t.Errorf("told %d times, want %d:\n%s", n, step.told, k.log.String())
		}
	}
}

// awaitChange waits until the watch calls.
func awaitChange(t *testing.T, changed <-chan struct{}, what string) {
	t.Helper()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	select {
	case <-changed:
	case <-late.C:
		t.Fatal("not noticed: " + what)
	}
}

// Clause: none; design: edits are picked up at once, whichever way a file is replaced
func TestEveryWayToReplaceACAKFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	in := func(name ...string) string { return filepath.Join(append([]string{dir}, name...)...) }
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	write := func(text string, name ...string) { t.Helper(); must(os.WriteFile(in(name...), []byte(text), 0o600)) }
	// As Kubernetes mounts a secret: keys/eth1.toml -> ..data/eth1.toml, keys/..data -> ..1; and the way there is a link.
	must(os.MkdirAll(in("real", "..1"), 0o700), os.Mkdir(in("real", "..2"), 0o700), os.Symlink("real", in("keys")),
		os.Symlink("..1", in("real", "..data")), os.Symlink(filepath.Join("..data", "eth1.toml"), in("real", "eth1.toml")))
	write("one", "real", "..1", "eth1.toml")
	write("two", "real", "..2", "eth1.toml")
	path := in("keys", "eth1.toml")

	w := newKeyWatch(slog.New(slog.NewTextHandler(io.Discard, nil)))
	changed := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.run(ctx, func() { changed <- struct{}{} }); close(ended) }()
	defer func() { cancel(); <-ended }()
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"written over", func() { write("three", "real", "..1", "eth1.toml") }},
		{"replaced by rename", func() {
			write("four", "real", "..1", "new")
			must(os.Rename(in("real", "..1", "new"), in("real", "..1", "eth1.toml")))
		}},
		{"readable for others", func() { must(os.Chmod(path, 0o644)) }},
		{"swapped by the link of its directory", func() {
			must(os.Symlink("..2", in("real", "new")), os.Rename(in("real", "new"), in("real", "..data")))
		}},
		{"swapped by a link on the way", func() {
			must(os.Mkdir(in("other"), 0o700), os.Symlink("other", in("new")))
			write("five", "other", "eth1.toml")
			must(os.Rename(in("new"), in("keys")))
		}},
		{"removed", func() { must(os.Remove(path)) }},
	} {
		w.follow(path)
		before := identify(path)
		step.do()
		awaitChange(t, changed, step.what)
		if identify(path) == before {
			t.Errorf("%s: the file counts as the same", step.what)
		}
	}
}

// Clause: none; a CAK file whose directories are removed is found again as they come back, one after the other.
func TestDirectoriesOfACAKFileComeBack(t *testing.T) {
	k := newKeyed(t)
	dir := t.TempDir()
	k.cfg.Keys = filepath.Join(dir, "etc", "keys", "eth1.toml")
	k.port.d.keyWatch = newKeyWatch(slog.New(slog.DiscardHandler))
	changed := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { k.port.d.keyWatch.run(ctx, func() { changed <- struct{}{} }); close(ended) }()
	defer func() { cancel(); <-ended }()
	k.reloadKeys()
	for _, step := range []func() error{
		func() error { return os.Mkdir(filepath.Join(dir, "etc"), 0o700) },
		func() error { return os.Mkdir(filepath.Dir(k.cfg.Keys), 0o700) },
		func() error {
			return os.WriteFile(k.cfg.Keys, []byte("[[key]]\nckn = \"01\"\ncak = \"77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\"\n"), 0o600)
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		awaitChange(t, changed, "what came back")
		k.lookAtKeys()
	}
	if len(k.keys) != 1 {
		t.Errorf("%d keys; the log says:\n%s", len(k.keys), k.log.String())
	}
}

// Clause: none; a path that leads in a circle does not hang mkad.
func TestPlacesOfALinkThatLeadsToItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
	if n := len(places(path)); n == 0 || n > maxLinks {
		t.Errorf("%d directories", n)
	}
}

// Clause: none; design: explain tells the keys that are valid, also of a port that is not served.
func TestKeysOfAPortThatIsNotServedAreToldAsTheyAre(t *testing.T) {
	k := newKeyed(t, key(t, 1, -time.Hour, -1), key(t, 2, time.Hour, -1))
	for _, served := range []bool{true, false} {
		if k.at(0); !served {
			k.kay, k.given = nil, nil
		}
		if e := k.keyEvidence(); len(e.Valid) != 1 || e.Valid[0] != k.keys[0].CKN || len(e.Idle) != 1 || !e.Next.Equal(k.keys[1].Start) {
			t.Errorf("served %t: %+v", served, e)
		}
	}
}
