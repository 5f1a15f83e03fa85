package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mkad/internal/control"
	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab"
	"mkad/internal/netlab/mkadlab"
)

func TestMain(m *testing.M) { guesttest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// patience bounds each wait: wpa_supplicant comes to things by hellos of two seconds and forgets a SAK that it could not
// make at once, and the machine is an emulated one with other tests on it.
const patience = 60 * time.Second

// waitFor looks until it is so. What looks has its own cost, a program started in an emulated machine.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); !so(); <-look.C {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// wait lets time pass in which something must not happen, or a fault lasts.
func wait(d time.Duration) { <-time.NewTimer(d).C }

// A member is who takes part in a group, and how.
type member struct {
	program string   // mkad or wpa
	lines   []string // of its [[port]] table, of its network block
	key     string   // its own CAK file; "": that of the group
}

const (
	mkad = "mkad"
	wpa  = "wpa_supplicant"
)

// A group is some members joined by a wire or by a bridge; each has a network namespace. The first member has the
// lowest MAC address, and so on: equal priorities elect the first.
type group struct {
	t           *testing.T
	members     []member
	hosts       []*mkadlab.Host
	supplicants []*mkadlab.Supplicant // nil for an mkad, and before start
	segment     *mkadlab.Segment      // nil over veth
	begun       time.Time             // of the last start
}

// newGroup makes the hosts. keys is the CAK file of all; "" for a fresh key of 128 bits.
func newGroup(t *testing.T, path, keys string, members []member) *group {
	t.Helper()
	program, err := exec.LookPath("mkad")
	must(t, err)
	g := &group{t: t, members: members, supplicants: make([]*mkadlab.Supplicant, len(members))}
	o := mkadlab.Options{Programs: filepath.Dir(program), CAKBits: 128}
	var keyFile string
	if path == overVeth {
		l, err := mkadlab.New(t.Context(), o)
		must(t, err)
		g.clean(l.Close)
		hosts := l.Hosts()
		g.hosts, keyFile = hosts[:], l.KeyFile
	} else {
		s, err := mkadlab.NewSegment(t.Context(), len(members), o)
		must(t, err)
		g.clean(s.Close)
		for i := range members {
			must(t, s.Plug(i, true))
		}
		g.hosts, keyFile, g.segment = s.Members, s.KeyFile, s
	}
	if keys != "" {
		must(t, os.WriteFile(keyFile, []byte(keys), 0o600))
	}
	for i, m := range members {
		g.prepare(i, m, keyFile)
	}
	return g
}

// What is between the members.
const (
	overVeth   = "veth"
	overBridge = "bridge"
)

func (g *group) clean(away func() error) {
	g.t.Cleanup(func() {
		if g.t.Failed() {
			for i, h := range g.hosts {
				g.t.Logf("%s is %s; its log:\n%s", h.Name, g.members[i].program, h.Log())
			}
		}
		if err := away(); err != nil {
			g.t.Error(err)
		}
	})
}

func (g *group) prepare(i int, m member, keyFile string) {
	g.t.Helper()
	h := g.hosts[i]
	_, err := h.Run(g.t.Context(), "ip", "link", "set", mkadlab.Lower, "address", fmt.Sprintf("02:00:00:00:00:%02x", i+1))
	must(g.t, err)
	if m.key != "" {
		keyFile = filepath.Join(filepath.Dir(h.ConfigFile()), "key.toml")
		must(g.t, os.WriteFile(keyFile, []byte(m.key), 0o600))
		text, err := os.ReadFile(h.ConfigFile())
		must(g.t, err)
		other := regexp.MustCompile(`(?m)^keys = .*$`).ReplaceAll(text, fmt.Appendf(nil, "keys = %q", keyFile))
		must(g.t, os.WriteFile(h.ConfigFile(), other, 0o644))
	}
	g.members[i].key = keyFile
	if m.program == mkad {
		must(g.t, h.ConfigurePort(m.lines...))
	}
}

// start starts members; all if none is named. wpa_supplicant wants its device up, and mkad brings its own up.
func (g *group) start(which ...int) {
	g.t.Helper()
	if len(which) == 0 {
		for i := range g.members {
			which = append(which, i)
		}
	}
	for _, i := range which {
		h, m := g.hosts[i], g.members[i]
		if m.program == mkad {
			must(g.t, h.StartDaemon(g.t.Context()))
			continue
		}
		must(g.t, h.SetUp(mkadlab.Lower))
		log, err := os.OpenFile(filepath.Join(guesttest.Keep(g.t), h.Name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		must(g.t, err)
		g.t.Cleanup(func() { log.Close() })
		g.supplicants[i], err = h.StartSupplicant(log, m.key, m.lines...)
		must(g.t, err)
	}
	g.begun = time.Now()
}

// startWith starts all members, a wpa_supplicant that is to be key server as the last of three: one that has made a SAK
// forgets those who join within Life Time of it, whoever they are, and another wpa_supplicant does not help itself.
func (g *group) startWith(server int) {
	g.t.Helper()
	if len(g.members) == 2 || g.members[server].program != wpa {
		g.start()
		return
	}
	var others []int
	for i := range g.members {
		if i != server {
			others = append(others, i)
		}
	}
	g.start(others...)
	g.start(server)
}

// process is the daemon of a member.
func (g *group) process(i int) *netlab.Process {
	if s := g.supplicants[i]; s != nil {
		return s.Process
	}
	return g.hosts[i].Daemon()
}

func (g *group) port(i int) control.Port {
	g.t.Helper()
	p, err := g.hosts[i].Port(g.t.Context())
	must(g.t, err)
	return p
}

// live are the SCIs in the live peer list of an mkad, in one line, and how many peers it has besides.
func live(p control.Port) (scis []string, others int) {
	for _, part := range p.Participants {
		for _, q := range part.Peers {
			if q.State == control.PeerLive {
				scis = append(scis, q.SCI)
			} else {
				others++
			}
		}
	}
	return scis, others
}

// connected tells what is missing for all members to be secured with all others; "" when nothing is.
func (g *group) connected() string {
	for i, m := range g.members {
		name := g.hosts[i].Name + " (" + m.program + ")"
		if m.program == mkad {
			p, err := g.hosts[i].Port(g.t.Context())
			if err != nil {
				return name + ": " + err.Error()
			}
			if scis, others := live(p); p.State != control.Secured || len(scis) != len(g.members)-1 || others != 0 ||
				len(p.Rx) != len(g.members)-1 {
				return fmt.Sprintf("%s is %s %s, with %d live peers and %d others", name, p.State, p.Reason, len(scis), others)
			}
			continue
		}
		d, err := g.hosts[i].Device(mkadlab.Controlled)
		if err != nil || !d.Carrier {
			return fmt.Sprintf("%s has no Controlled Port with a carrier: %v", name, err)
		}
		s, err := g.supplicants[i].Status(g.t.Context())
		if err != nil || !s.Secured || s.Live != len(g.members)-1 || s.Potential != 0 {
			return fmt.Sprintf("%s is %+v, %v", name, s, err)
		}
	}
	return ""
}

// secured waits until all members are connected, and returns how long after the last start that was.
func (g *group) secured() time.Duration {
	g.t.Helper()
	missing := ""
	defer func() {
		if g.t.Failed() {
			g.t.Log("last seen: ", missing)
		}
	}()
	waitFor(g.t, "a group that is connected", func() bool {
		missing = g.connected()
		return missing == ""
	})
	return time.Since(g.begun)
}

// elected checks that all members have the same key server, and who their peers are.
func (g *group) elected(server int) {
	g.t.Helper()
	scis := make([]string, len(g.members))
	for i, m := range g.members {
		if m.program == mkad {
			scis[i] = g.port(i).SCI
		} else {
			s, err := g.supplicants[i].Status(g.t.Context())
			must(g.t, err)
			scis[i] = s.SCI
		}
	}
	for i, m := range g.members {
		if m.program == mkad {
			p := g.port(i)
			peers, _ := live(p)
			if p.KeyServer != (i == server) {
				g.t.Errorf("%s: key server is %t, want %t", g.hosts[i].Name, p.KeyServer, i == server)
			}
			for j, sci := range scis {
				if listed := contains(peers, sci); listed != (i != j) {
					g.t.Errorf("%s has %s in its live list: %t", g.hosts[i].Name, sci, listed)
				}
			}
			continue
		}
		s, err := g.supplicants[i].Status(g.t.Context())
		must(g.t, err)
		if s.KeyServer != (i == server) || s.KeyServerSCI != scis[server] || s.Live != len(g.members)-1 {
			g.t.Errorf("%s: %+v, want key server %s", g.hosts[i].Name, s, scis[server])
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// Traffic of a case: from everybody to everybody, as long as it takes to see that it flows.
const (
	frameSize   = 1400
	frameRate   = 100
	trafficTime = 500 * time.Millisecond
)

// carries sends numbered frames from every member to every other; nothing may be lost, and the counters tell of them.
func (g *group) carries() {
	g.t.Helper()
	before := g.counted()
	var streams []*netlab.Stream
	var names []string
	for i, from := range g.hosts {
		for j, to := range g.hosts {
			if i != j {
				streams, names = append(streams, g.stream(i, j)), append(names, from.Name+" to "+to.Name)
			}
		}
	}
	wait(trafficTime)
	sent := make([]uint64, len(g.hosts)) // by each
	for n, s := range streams {
		r, err := s.Stop()
		must(g.t, err)
		if sent[n/(len(g.hosts)-1)] += r.Sent; r.Lost() != 0 || r.Refused != 0 || r.Twice != 0 || r.Sent == 0 {
			g.t.Errorf("%s: %s", names[n], r)
		}
	}
	for i := range g.hosts {
		g.counts(i, before[i], sent)
	}
}

func (g *group) stream(from, to int) *netlab.Stream {
	g.t.Helper()
	s, err := netlab.StartStream(netlab.StreamConfig{FromNamespace: g.hosts[from].Namespace, ToNamespace: g.hosts[to].Namespace,
		From: mkadlab.Controlled, To: mkadlab.Controlled, Rate: frameRate, Size: frameSize})
	must(g.t, err)
	return s
}

// counts waits until a member has counted what it and the others have sent since before: a frame of a stream is a
// broadcast. Nothing is counted as bad.
func (g *group) counts(i int, before map[string]uint64, sent []uint64) {
	g.t.Helper()
	var others uint64
	for j, n := range sent {
		if j != i {
			others += n
		}
	}
	var now map[string]uint64
	grown := func(names ...string) (n uint64) {
		for _, name := range names {
			n += now[name] - before[name]
		}
		return n
	}
	waitFor(g.t, g.hosts[i].Name+" to count its traffic", func() bool {
		now = g.countersOf(i)
		return grown("OutPktsEncrypted", "OutPktsProtected") >= sent[i] && grown("InPktsOK") >= others
	})
	if bad := grown("InPktsNotValid", "InPktsInvalid", "InPktsLate", "InPktsBadTag"); bad != 0 {
		g.t.Errorf("%s: %d bad frames in %v", g.hosts[i].Name, bad, now)
	}
}

func (g *group) counted() (all []map[string]uint64) {
	for i := range g.hosts {
		all = append(all, g.countersOf(i))
	}
	return all
}

var (
	statistic = regexp.MustCompile(`"((?:In|Out)Pkts\w+)":(\d+)`)
	ofSAs     = regexp.MustCompile(`"sa_list":\[[^\]]*\]`)
)

// countersOf are those that mkad tells; those that ip tells of the device of wpa_supplicant, receive SCs added up.
func (g *group) countersOf(i int) map[string]uint64 {
	g.t.Helper()
	if g.members[i].program == mkad {
		return g.port(i).Counters
	}
	out, err := g.hosts[i].Run(g.t.Context(), "ip", "-s", "-j", "macsec", "show", mkadlab.Controlled)
	must(g.t, err)
	sum := map[string]uint64{}
	for _, found := range statistic.FindAllStringSubmatch(ofSAs.ReplaceAllString(strings.Join(strings.Fields(out), ""), ""), -1) {
		n, err := strconv.ParseUint(found[2], 10, 64)
		must(g.t, err)
		sum[found[1]] += n
	}
	return sum
}
