package daemon_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

// A reloading is a change of what is configured, what --check --diff says of it beforehand, and what it costs.
type reloading struct {
	name   string
	daemon string    // a line of [daemon]
	port   string    // lines of [[port]]
	below  string    // lines below it
	other  [2]string // what stands there, and what in its place
	key    string    // another CAK file
	both   bool      // of both hosts; else of the west
	back   bool      // it has been made before, and what is taken back is looked at
	says   []string
	cuts   bool
}

const (
	untouchedPort = "eth1: keep, cuts nothing"
	adjustedPort  = "eth1: adjust, cuts nothing"
	restartedPort = "eth1: restart, cuts its traffic until its peers have agreed again"
)

// theKey is that of the matrix, otherKey another one.
var theKey, otherKey = keyText(16, 16), strings.NewReplacer("31383f", "41484f").Replace(keyText(16, 32))

var reloadings = []reloading{
	{name: "nothing", says: []string{untouchedPort}},
	{name: "another port", below: "[[port]]\ninterface = \"eth2\"\ncontrolled = \"sec2\"\nkeys = \"../key.toml\"",
		says: []string{untouchedPort, "eth2: add, cuts nothing"}},
	{name: "another port, removed", below: "[[port]]\ninterface = \"eth2\"\ncontrolled = \"sec2\"\nkeys = \"../key.toml\"", back: true,
		says: []string{untouchedPort, "eth2: remove, cuts nothing", "eth2 stays closed; to open it then: mkactl unlock eth2"}},
	{name: "a port of no device", below: "[[port]]\ninterface = \"eth7\"\ncontrolled = \"sec7\"\nkeys = \"../key.toml\"",
		says: []string{untouchedPort, "eth7: add, cuts nothing"}},
	{name: "another key", key: theKey + otherKey, says: []string{adjustedPort, "key 41484f", ": added"}},
	{name: "another key on both", key: theKey + otherKey, both: true, says: []string{adjustedPort, ": added"}},
	{name: "another key in its place", key: otherKey, both: true, cuts: true,
		says: []string{"eth1: adjust, cuts its traffic", ": added", "key 31383f", ": removed"}},
	{name: "another CAK", key: strings.Replace(theKey, `cak = "55`, `cak = "56`, 1), both: true, cuts: true,
		says: []string{"eth1: adjust, cuts its traffic", ": another CAK"}},
	{name: "another role", key: theKey + "role = \"fallback\"\n", says: []string{adjustedPort, ": primary -> fallback"}},
	{name: "an end to come", key: theKey + "end = 2999-01-01T00:00:00Z\n", says: []string{adjustedPort, ": other start or end\n"}},
	{name: "an end that is past, beside another key", key: theKey + "end = 2020-01-01T00:00:00Z\n" + otherKey, both: true, cuts: true,
		says: []string{"eth1: adjust, cuts its traffic", ": other start or end, with which it is not valid now"}},
	{name: "key_server_priority", port: "key_server_priority = 7", says: []string{adjustedPort, "key_server_priority: 16 -> 7"}},
	{name: "key_server_priority that elects the other", port: "key_server_priority = 30", cuts: true,
		says: []string{"eth1: adjust, cuts its traffic", "key_server_priority: 16 -> 30"}},
	{name: "cipher_suites", port: `cipher_suites = ["GCM-AES-128"]`, cuts: true, says: []string{restartedPort, "cipher_suites: "}},
	{name: "confidentiality", port: `confidentiality = "integrity-only"`, cuts: true,
		says: []string{restartedPort, `confidentiality: "offset-0" -> "integrity-only"`}},
	{name: "policy", port: `policy = "should-secure"`, cuts: true, says: []string{restartedPort, "policy: "}},
	{name: "replay_window", port: "replay_window = 64", says: []string{adjustedPort, "replay_window: 128 -> 64"}},
	{name: "replay_protect", port: "replay_protect = false", says: []string{adjustedPort, "replay_protect: true -> false"}},
	{name: "sak_lifetime", port: `sak_lifetime = "1h"`, says: []string{adjustedPort, "sak_lifetime: "}},
	{name: "delay_protect", port: "delay_protect = true", says: []string{adjustedPort, "delay_protect: false -> true"}},
	{name: "send_sci", port: "send_sci = false", says: []string{adjustedPort, "send_sci: true -> false"}},
	{name: "eapol_destination", port: `eapol_destination = "01:80:c2:00:00:0e"`, both: true,
		says: []string{adjustedPort, "eapol_destination: "}},
	{name: "eapol_accept", port: `eapol_accept = "standard"`, says: []string{adjustedPort, "eapol_accept: "}},
	{name: "eapol_ethertype", port: "eapol_ethertype = 0x876f", both: true, cuts: true, says: []string{restartedPort, "eapol_ethertype: "}},
	{name: "mka_version", port: "mka_version = 2", says: []string{adjustedPort, `mka_version: "auto" -> 2`}},
	{name: "icv_indicator", port: "icv_indicator = true", says: []string{adjustedPort, "icv_indicator: false -> true"}},
	{name: "hello_time", port: `hello_time = "1s"`, says: []string{adjustedPort, `hello_time: "2s" -> "1s"`}},
	{name: "life_time", port: `life_time = "9s"`, says: []string{adjustedPort, `life_time: "6s" -> "9s"`}},
	{name: "in_service_slot", port: `in_service_slot = "old"`, says: []string{adjustedPort, "in_service_slot: "}},
	{name: "allow_priority_255", port: "allow_priority_255 = true", says: []string{adjustedPort, "allow_priority_255: false -> true"}},
	{name: "port_id", port: "port_id = 7", cuts: true, says: []string{restartedPort, "port_id: 1 -> 7"}},
	{name: "backend", port: `backend = "userspace"`, cuts: true, says: []string{restartedPort, `backend: "auto" -> "userspace"`}},
	{name: "on_unsecured", port: `on_unsecured = "down"`, cuts: true, says: []string{restartedPort, "on_unsecured: "}},
	{name: "uncontrolled", port: `uncontrolled = "open"`, cuts: true, says: []string{restartedPort, "uncontrolled: "}},
	{name: "bypass", port: `bypass = ["lldp"]`, says: []string{adjustedPort, `bypass: [] -> ["lldp"]`}},
	{name: "on_exit", port: `on_exit = "remove"`, says: []string{adjustedPort, `on_exit: "keep" -> "remove"`}},
	{name: "log_level", daemon: `log_level = "warn"`, says: []string{untouchedPort, "takes effect when mkad starts again", "log_level: "}},
	{name: "log_format", daemon: `log_format = "json"`, says: []string{untouchedPort, "log_format: "}},
	{name: "control", other: [2]string{"control.sock", "elsewhere.sock"}, says: []string{untouchedPort, "takes effect when mkad starts again", "control: "}},
	{name: "metrics", daemon: `metrics = "127.0.0.1:9725"`, says: []string{untouchedPort, "metrics: "}},
	{name: "notify_ready", daemon: `notify_ready = "secured"`, says: []string{untouchedPort, "notify_ready: "}},
}

// put writes a reloading into a host's files, or takes it back.
func (r reloading) put(t *testing.T, h *mkadlab.Host, back bool) {
	t.Helper()
	for _, e := range [][2]string{{"# daemon\n", "# daemon\n" + r.daemon + "\n"}, {"# port\n", "# port\n" + r.port + "\n"},
		{"# below\n", "# below\n" + r.below + "\n"}, r.other} {
		if back {
			e[0], e[1] = e[1], e[0]
		}
		edit(t, h, e[0], e[1])
	}
	if r.key == "" {
		return
	}
	was, other := ownKey(h)+`"`, ownKey(h)+`.other"` // a file that is edited is seen without a reload
	if back {
		edit(t, h, other, was)
		return
	}
	_ = os.Remove(ownKey(h) + ".other") // of the row before, if there was one
	writeKey(t, ownKey(h)+".other", r.key)
	edit(t, h, was, other)
}

// ownKey is the CAK file that a host of the matrix has for itself.
func ownKey(h *mkadlab.Host) string { return h.ConfigFile() + ".key" }

// A mistake is a configuration that cannot be, and what is said of it.
type mistake struct {
	reloading
	spoil, mend func(t *testing.T, h *mkadlab.Host) // beside the configuration
}

var mistakes = []mistake{
	{reloading: reloading{name: "a syntax error", port: "replay_window = = 7", says: []string{"mkad.toml:", "is not TOML"}}},
	{reloading: reloading{name: "an unknown key", port: "replay_windows = 7", says: []string{"mkad.toml:", "replay_windows"}}},
	{reloading: reloading{name: "a value of another type", port: `replay_window = "7"`, says: []string{"mkad.toml:", "replay_window"}}},
	{reloading: reloading{name: "a CAK file of nothing", below: "[[port]]\ninterface = \"eth2\"\ncontrolled = \"sec2\"\nkeys = \"../none.toml\"",
		says: []string{"none.toml", "does not exist"}}},
	{reloading: reloading{name: "a CAK file that is gone", says: []string{"mkad.toml.key", "does not exist"}},
		spoil: func(t *testing.T, h *mkadlab.Host) { must(t, os.Rename(ownKey(h), ownKey(h)+".away")) },
		mend:  func(t *testing.T, h *mkadlab.Host) { must(t, os.Rename(ownKey(h)+".away", ownKey(h))) }},
	{reloading: reloading{name: "a CAK file that others can read", says: []string{"mkad.toml.key", "chmod"}},
		spoil: func(t *testing.T, h *mkadlab.Host) { must(t, os.Chmod(ownKey(h), 0o644)) },
		mend:  func(t *testing.T, h *mkadlab.Host) { must(t, os.Chmod(ownKey(h), 0o600)) }},
	{reloading: reloading{name: "a CAK file that is none", says: []string{"mkad.toml.key"}},
		spoil: func(t *testing.T, h *mkadlab.Host) { writeKey(t, ownKey(h), "[[key]]\nckn = \"zz\"\n") },
		mend:  func(t *testing.T, h *mkadlab.Host) { writeKey(t, ownKey(h), theKey) }},
	{reloading: reloading{name: "two ports on one device", below: "[[port]]\ninterface = \"eth1\"\ncontrolled = \"sec2\"",
		says: []string{"mkad.toml:", "eth1"}}},
	{reloading: reloading{name: "no port", below: "", says: []string{"mkad.toml"}},
		spoil: func(t *testing.T, h *mkadlab.Host) { must(t, os.Rename(h.ConfigFile(), h.ConfigFile()+".away")) },
		mend:  func(t *testing.T, h *mkadlab.Host) { must(t, os.Rename(h.ConfigFile()+".away", h.ConfigFile())) }},
}

// Clause: none; design: a bad file leaves the running state as it was, and says why.
func TestReloadOfAMistakeCostsNothing(t *testing.T) {
	t.Parallel()
	l := newReloaded(t)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			m.put(t, l.West, false)
			if m.spoil != nil {
				m.spoil(t, l.West)
			}
			out, err := mkad(t, l.West, "--check", "--diff")
			refused(t, out, err, 2, m.says...)
			var answer string
			var answered error
			s := stream(t, l.West, l.East, 800, 1000, func() { answer, answered = l.West.Mkactl(t.Context(), "reload") })
			refused(t, answer, answered, 1, append(m.says, "nothing was changed")...)
			if s.Lost()+s.Refused > 0 || s.Received == 0 {
				t.Errorf("%s", s)
			}
			if m.mend != nil {
				m.mend(t, l.West)
			}
			m.put(t, l.West, true)
			mkactl(t, l.West, "reload")
			must(t, l.WaitFor(t.Context(), control.Secured))
		})
	}
}

// newReloaded is a secured link whose hosts have a CAK file each, and a device more.
func newReloaded(t *testing.T) *mkadlab.Link {
	t.Helper()
	l := newLink(t, released, theKey, "# port\n\n# below\n")
	must(t, netlab.Join(l.West.Namespace, "eth2", l.East.Namespace, "eth2"))
	for _, h := range l.Hosts() {
		edit(t, h, "[daemon]\n", "[daemon]\n# daemon\n")
		text, err := os.ReadFile(h.ConfigFile())
		must(t, err)
		must(t, os.WriteFile(h.ConfigFile(), []byte(strings.Replace(string(text), l.KeyFile, ownKey(h), 1)), 0o644))
		writeKey(t, ownKey(h), theKey)
	}
	edit(t, l.East, "# port\n", "# port\nkey_server_priority = 18\n")
	must(t, l.Secure(t.Context()))
	return l
}

// isSaid wants what was said beforehand to be said of what was done, but for ports that are kept.
func (r reloading) isSaid(t *testing.T, done string) {
	t.Helper()
	changes := slices.DeleteFunc(slices.Clone(r.says), func(say string) bool { return say == untouchedPort })
	if len(changes) == 0 && done != "nothing changed\n" || strings.Contains(done, untouchedPort) {
		t.Errorf("reload says %q", done)
	}
	for _, say := range changes {
		if !strings.Contains(done, say) {
			t.Errorf("reload does not say %q:\n%s", say, done)
		}
	}
}

// Clause: none; design: a reload touches only what has changed, and --check --diff says beforehand what it cuts.
func TestReloadCostsWhatWasSaidBefore(t *testing.T) {
	t.Parallel()
	l := newReloaded(t)
	for _, r := range reloadings {
		t.Run(r.name, func(t *testing.T) {
			hosts := []*mkadlab.Host{l.West}
			if r.both {
				hosts = append(hosts, l.East)
			}
			for _, h := range hosts {
				r.put(t, h, false)
				if r.back {
					mkactl(t, h, "reload")
					must(t, l.WaitFor(t.Context(), control.Secured))
					r.put(t, h, true)
				}
			}
			out, err := mkad(t, l.West, "--check", "--diff", "--socket", l.West.Socket())
			must(t, err)
			for _, say := range r.says {
				if !strings.Contains(out, say) {
					t.Errorf("--diff does not say %q:\n%s", say, out)
				}
			}
			// The row before has restarted ports, which may say that they are secured before the SAK of both is the same.
			waitFor(t, "traffic", func() bool { return stream(t, l.West, l.East, 20, 200, nil).Lost() == 0 })
			var done []string
			s := stream(t, l.West, l.East, 800, 1000, func() {
				for _, h := range hosts {
					done = append(done, mkactl(t, h, "reload"))
				}
			})
			if r.key == "" { // a CAK file is read without being asked, too
				r.isSaid(t, done[0])
			}
			t.Logf("%s; --diff said:\n%s", s, out)
			if lost := s.Lost() + s.Refused; (lost > 0) != r.cuts || s.Received == 0 && !r.cuts {
				t.Errorf("%d frames are lost, of which was said:\n%s", lost, out)
			}
			must(t, l.WaitFor(t.Context(), control.Secured))
			for _, h := range hosts {
				if !r.back {
					r.put(t, h, true)
				}
				mkactl(t, h, "reload")
			}
			must(t, l.WaitFor(t.Context(), control.Secured))
		})
	}
}
