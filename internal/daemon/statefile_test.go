package daemon

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// aState has something in every field.
func aState(t testing.TB) mka.State {
	ckn, err := keyderive.NewCKN([]byte{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	ki := eapol.KI{MI: eapol.MI{1, 2}, KN: 7}
	return mka.State{
		SCI: 1<<63 | 5,
		Participants: []mka.ParticipantState{{CKN: ckn, Proof: [16]byte{9}, SentAt: 1e18, Principal: true, SettledAt: 3, Suspended: mka.SuspensionState{By: 10, From: 1, Until: 2},
			MI: eapol.MI{3}, MN: 4, KN: 5, Version: 3, Past: []mka.PastPeer{{MI: eapol.MI{6}, MN: 7}},
			Peers: []mka.PeerState{{MI: eapol.MI{8}, MN: 9, SCI: 10, Live: true, HeardAt: 11, ExpiresAt: 12, Version: 1,
				Priority: 13, KeyServer: true, Desired: true, Capability: 2, Announced: secy.CipherSuites[:], HearsAll: true,
				Refused: []secy.CipherSuite{secy.GCMAES256}}}}},
		Keys: []mka.KeyState{{Old: true, CKN: ckn, KI: ki, AN: 3, Suite: secy.GCMAESXPN256, Offset: 1, SAK: keyderive.Fingerprint{4},
			Server: 5, SSCI: 1, Tx: true, Rx: true, LowestPN: 1<<64 - 1, BornAt: 6, Members: []mka.MemberState{{MI: eapol.MI{7}, SCI: 8, SSCI: 2}}},
			{KI: eapol.KI{MI: eapol.MI{1}, KN: 1}}}, // of a participant that is no more
		Used: []eapol.KI{ki}, UsedSAKs: []keyderive.Fingerprint{{1}}, LastAN: 2, Server: 5,
	}
}

func newFile(t *testing.T, log *bytes.Buffer) *stateFile {
	f := newStateFile(filepath.Join(t.TempDir(), "state"), "eth1", slog.New(slog.NewTextHandler(log, nil)))
	if f.boot == "" {
		t.Fatal("the boot has no name")
	}
	return f
}

func TestStateIsReadAsItWasKept(t *testing.T) {
	var log bytes.Buffer
	f := newFile(t, &log)
	if _, err := f.read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read before: %v", err)
	}
	want := aState(t)
	f.keep(&mka.State{})
	f.keep(&want)
	got, err := f.read()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\nread %+v\nkept %+v", err, got, want)
	}
	for path, mode := range map[string]fs.FileMode{f.path: 0o600, filepath.Dir(f.path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	f.remove()
	if left, err := os.ReadDir(filepath.Dir(f.path)); err != nil || len(left) != 0 || log.Len() != 0 {
		t.Errorf("left %v, %v; log %s", left, err, &log)
	}
}

func TestStateThatIsNotToBeBelievedIsRefused(t *testing.T) {
	s := aState(t)
	good := string(encodeState(&s, "boot"))
	for name, c := range map[string]struct{ from, to, says string }{
		"damaged":            {`"LastAN":2`, `"LastAN":3`, "damaged"},
		"cut":                {"5}\n", "", "damaged"},
		"another boot":       {`"Boot":"boot"`, `"Boot":"boat"`, "another boot"},
		"another version":    {`"Version":1`, `"Version":2`, "format version 2"},
		"no header":          {"{", "", "no header"},
		"more in the header": {`{"Version"`, `{"More":1,"Version"`, "unknown field"},
	} {
		if _, err := decodeState([]byte(strings.Replace(good, c.from, c.to, 1)), "boot"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one that says %q", name, err, c.says)
		}
	}
	if _, err := decodeState([]byte(good), ""); err == nil {
		t.Error("without a boot it is believed")
	}
	body := []byte(`{"SCI":1,"Other":2}`)
	if _, err := decodeState(append([]byte(`{"Version":1,"Boot":"boot","Sum":"`+sumOf(body)+`"}`+"\n"), body...), "boot"); err == nil {
		t.Error("a field that nobody knows is believed")
	}
}

func TestStateFileThatOthersCouldHaveMadeIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"mode":    func(path string) error { return os.Chmod(path, 0o620) },
		"symlink": func(path string) error { return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path)) },
		"device":  func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		var log bytes.Buffer
		f := newFile(t, &log)
		s := aState(t)
		f.keep(&s)
		if err := spoil(f.path); err != nil {
			t.Fatal(err)
		}
		if _, err := f.read(); err == nil {
			t.Errorf("%s: it is read", name)
		}
	}
}

func TestStateThatCannotBeKeptIsRemovedAndToldOnce(t *testing.T) {
	var log bytes.Buffer
	f := newFile(t, &log)
	s := aState(t)
	f.keep(&s)
	if err := os.Mkdir(f.path+newSuffix, 0o700); err != nil { // in the way of the next
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.path+newSuffix, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.keep(&s)
	f.keep(&s)
	if _, err := f.read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old one is left: %v", err)
	}
	if n := strings.Count(log.String(), "cannot keep the state"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
}

// A unit's sandbox can hide the name of the boot. Then nothing is kept, and that is told.
func TestWithoutTheNameOfTheBootNothingIsKept(t *testing.T) {
	var log bytes.Buffer
	f := newFile(t, &log)
	s := aState(t)
	f.keep(&s)
	f.boot = ""
	if _, err := f.read(); !errors.Is(err, errNoBoot) {
		t.Errorf("read: %v", err)
	}
	f.keep(&s)
	if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) || !errors.Is(f.failure, errNoBoot) {
		t.Errorf("a file is there: %v; failure %v", err, f.failure)
	}
	if n := strings.Count(log.String(), "cannot keep the state"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
}

// FuzzStateFile wants whatever is believed to be encoded as it was read.
func FuzzStateFile(f *testing.F) {
	s := aState(f)
	f.Add(encodeState(&s, "boot"), false)
	f.Add([]byte(`{"SCI":1,"Participants":[{"CKN":"00"}]}`), true)
	f.Fuzz(func(t *testing.T, text []byte, sum bool) {
		if sum {
			text = append([]byte(`{"Version":1,"Boot":"boot","Sum":"`+sumOf(bytes.TrimSuffix(text, []byte("\n")))+`"}`+"\n"), text...)
		}
		got, err := decodeState(text, "boot")
		if err != nil {
			return
		}
		again, err := decodeState(encodeState(&got, "boot"), "boot")
		if err != nil {
			t.Fatal(err)
		}
		if a, b := encodeState(&got, "boot"), encodeState(&again, "boot"); !bytes.Equal(a, b) {
			t.Errorf("%s\nand again %s", a, b)
		}
	})
}
