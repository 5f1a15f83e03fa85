package mka_test

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/mka/mkatest"
	"mkad/secy"
)

// An interaction is played by a script of testdata/mka: commands, and below each what it brings about (transcript). All stations
// have the key of one CA, the first; a KaY may have those of others beside it. With -rewrite the files are written anew:
// review the difference.
//
//	add-kay NAME n=1 [priority=16] [suites=(…)] [policy=should-secure] [offset=integrity-only] [capability=0] [hello=5s]
//	        [life=15s] [version=1] [delay-protect] [icv-indicator] [old-slot] [elect-255] [to=MAC] [ethertype=876f]
//	        a KaY with the n-th SCI; its link is up
//	add-peer NAME n=1 [priority=32] [version=3] [suites=(…)]    a scripted peer, which speaks only when it is made to
//	add-gear NAME n=1 profile=… [priority=16]    an implementation, by its profile; it is silent before start
//	add-key NAME key=2 [fallback] [rank=1] [standby], change-key likewise, remove-key NAME key=2    a KaY's n-th key
//	start NAME…, hush NAME    gear, or a peer with a hello every 2 s, speaks and is silent
//	say NAME [list=none|potential|live] [mn=+0|-1|…] [use=none|latest|old|both] [lpn=0] [flag=clear] [priority=255]
//	        [delay-protect] [suspend=60] [indicator] [lists-last] [trailer=4]    a peer's next MKPDU; mn is added to what it
//	        lists of the KaYs; the trailer are octets behind the MKPDU
//	desire NAME yes|no    a peer wants MACsec to be used, or not, from now on
//	generate NAME suite=…    a peer makes a SAK, and says so with its next MKPDU
//	replay NAME back=1    the peer's last MKPDU but so many is sent again
//	rekey NAME, restart NAME, rejoin NAME, priority NAME 0, link NAME up|down, fail NAME op=CreateTransmitSA, obey NAME
//	drop from=NAME to=NAME, join from=NAME to=NAME    nothing passes that way, and everything does again
//	jump NAME 20s    its clock goes forward at once, as in a resume from suspend
//	quiet (pdu op event)    what is not written from now on
//	advance 2s    time passes; frames arrive as soon as any passes
//	state NAME    how a KaY stands
type interaction struct {
	*world
	log   *transcript
	kays  map[string]*mkatest.Member
	peers map[string]*mkatest.Peer
	gears map[string]*mkatest.Gear
	said  map[string][][]byte
}

const scripts = "../testdata/mka"

// Clause: 802.1X-2020 9.3 to 9.18, 12.4: each file names its own
// Requirement: R28, R38, R39, R41, R46, R48, R49, R56, R64, R67, R71, R75, R82, R83, R84, R85, R88, R90, R94, R95, R101
// Requirement: R102, R103, R104, R105, R113, R114
func TestInteractionScripts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(scripts, "*.txt"))
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d scripts (%v)", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			w := newWorld(t)
			s := &interaction{world: w, log: newTranscript(w), kays: map[string]*mkatest.Member{}, peers: map[string]*mkatest.Peer{},
				gears: map[string]*mkatest.Gear{}, said: map[string][][]byte{}}
			datadriven.RunTest(t, path, s.run)
		})
	}
}

// run obeys a command, and gives what has happened.
func (s *interaction) run(t *testing.T, d *datadriven.TestData) string {
	commands := map[string]func(*testing.T, *datadriven.TestData){
		"add-kay": s.addKaY, "add-peer": s.addPeer, "add-gear": s.addGear, "start": s.start, "hush": s.hush, "say": s.say,
		"generate": s.generate, "replay": s.replay, "rekey": s.rekey, "restart": s.restart, "rejoin": s.rejoin,
		"priority": s.priority, "link": s.link, "fail": s.fail, "obey": s.obey, "drop": s.sever, "join": s.sever,
		"jump": s.jump, "quiet": s.setQuiet, "advance": s.advance, "state": s.state,
		"add-key": s.addKey, "change-key": s.changeKey, "remove-key": s.removeKey, "desire": s.desire,
	}
	do, known := commands[d.Cmd]
	if !known {
		d.Fatalf(t, "no such command: %s", d.Cmd)
	}
	s.log.Reset()
	do(t, d)
	return s.log.String()
}

// first is the name that a command is about.
func first(t *testing.T, d *datadriven.TestData) string {
	if len(d.CmdArgs) == 0 {
		d.Fatalf(t, "whom?")
	}
	return d.CmdArgs[0].Key
}

func (s *interaction) kayOf(t *testing.T, d *datadriven.TestData) *mkatest.Member {
	m := s.kays[first(t, d)]
	if m == nil {
		d.Fatalf(t, "%s is no KaY", first(t, d))
	}
	return m
}

func (s *interaction) peerOf(t *testing.T, d *datadriven.TestData) *mkatest.Peer {
	p := s.peers[first(t, d)]
	if p == nil {
		d.Fatalf(t, "%s is no peer", first(t, d))
	}
	return p
}

// scan reads an argument if it is there.
func scan(t *testing.T, d *datadriven.TestData, key string, dest ...any) bool {
	if !d.HasArg(key) {
		return false
	}
	d.ScanArgs(t, key, dest...)
	return true
}

func duration(t *testing.T, d *datadriven.TestData, key string) (v time.Duration) {
	var text string
	if scan(t, d, key, &text) {
		v = parse(t, d, text)
	}
	return v
}

func parse(t *testing.T, d *datadriven.TestData, text string) time.Duration {
	v, err := time.ParseDuration(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	return v
}

func suitesOf(t *testing.T, d *datadriven.TestData) (list []secy.CipherSuite) {
	for _, arg := range d.CmdArgs {
		for _, name := range arg.Vals {
			if c, ok := secy.ParseCipherSuite(name); ok && (arg.Key == "suites" || arg.Key == "suite") {
				list = append(list, c)
			} else if arg.Key == "suites" || arg.Key == "suite" {
				d.Fatalf(t, "%s is no cipher suite", name)
			}
		}
	}
	return list
}

func (s *interaction) addKaY(t *testing.T, d *datadriven.TestData) {
	name, n := first(t, d), 0
	d.ScanArgs(t, "n", &n)
	cfg := mkatest.Config(n)
	scan(t, d, "priority", &cfg.KeyServerPriority)
	scan(t, d, "version", &cfg.Version)
	cfg.HelloTime, cfg.LifeTime = duration(t, d, "hello"), duration(t, d, "life")
	cfg.DelayProtect, cfg.ICVIndicator = d.HasArg("delay-protect"), d.HasArg("icv-indicator")
	cfg.InServiceOld, cfg.ElectLast = d.HasArg("old-slot"), d.HasArg("elect-255")
	if list := suitesOf(t, d); list != nil {
		cfg.CipherSuites = list
	}
	if d.HasArg("policy") {
		cfg.Policy = mka.ShouldSecure
	}
	scan(t, d, "capability", &cfg.Capability)
	if d.HasArg("offset") {
		cfg.Offset = secy.IntegrityOnly
	}
	s.place(t, d, &cfg)
	s.log.scis[cfg.SCI] = name
	m := s.Add(name, cfg)
	s.kays[name] = m
	m.Up(ckn, cak())
}

// place reads where a KaY sends its MKPDUs, which is also where it hears them.
func (s *interaction) place(t *testing.T, d *datadriven.TestData, cfg *mka.Config) {
	var to, etherType string
	if scan(t, d, "to", &to) {
		mac, err := net.ParseMAC(to)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		cfg.Destination = eapol.MAC(mac)
		cfg.Acceptance.Destinations = []eapol.MAC{cfg.Destination}
	}
	if scan(t, d, "ethertype", &etherType) {
		n, err := strconv.ParseUint(etherType, 16, 16)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		cfg.Acceptance.EtherType = uint16(n)
	}
}

func (s *interaction) addPeer(t *testing.T, d *datadriven.TestData) {
	name, n := first(t, d), 0
	d.ScanArgs(t, "n", &n)
	p := s.peer(n)
	scan(t, d, "priority", &p.Priority)
	scan(t, d, "version", &p.Version)
	p.Announces = suitesOf(t, d)
	s.log.scis[p.SCI] = name
	s.peers[name] = p
}

func (s *interaction) addGear(t *testing.T, d *datadriven.TestData) {
	name, n, profile := first(t, d), 0, ""
	d.ScanArgs(t, "n", &n)
	d.ScanArgs(t, "profile", &profile)
	at := slices.IndexFunc(mkatest.Profiles, func(p mkatest.Profile) bool { return strings.ReplaceAll(p.Name, " ", "-") == profile })
	if at < 0 {
		d.Fatalf(t, "no such profile: %s", profile)
	}
	g := s.AddGear(mkatest.Profiles[at], n, ckn, cak())
	scan(t, d, "priority", &g.Priority)
	s.log.scis[g.SCI] = name
	s.gears[name] = g
}

// keyOf is the n-th key: that of the CA which all stations have is the first.
func keyOf(t *testing.T, d *datadriven.TestData) (keyderive.CKN, keyderive.CAK) {
	n := 0
	d.ScanArgs(t, "key", &n)
	return mkatest.CKN(fmt.Sprintf("%04d", n)), mkatest.CAK(byte(n), 16)
}

func useOf(t *testing.T, d *datadriven.TestData) (role mka.Role, rank int64, standby bool) {
	if d.HasArg("fallback") {
		role = mka.Fallback
	}
	scan(t, d, "rank", &rank)
	return role, rank, d.HasArg("standby")
}

func (s *interaction) addKey(t *testing.T, d *datadriven.TestData) {
	in := mka.ParticipantAdded{}
	in.CKN, in.CAK = keyOf(t, d)
	in.Role, in.Rank, in.Standby = useOf(t, d)
	s.kayOf(t, d).MustStep(in)
}

func (s *interaction) changeKey(t *testing.T, d *datadriven.TestData) {
	in := mka.ParticipantChanged{}
	in.CKN, _ = keyOf(t, d)
	in.Role, in.Rank, in.Standby = useOf(t, d)
	s.kayOf(t, d).MustStep(in)
}

func (s *interaction) removeKey(t *testing.T, d *datadriven.TestData) {
	ckn, _ := keyOf(t, d)
	s.kayOf(t, d).MustStep(mka.ParticipantRemoved{CKN: ckn})
}

func (s *interaction) start(t *testing.T, d *datadriven.TestData) {
	for _, arg := range d.CmdArgs {
		if g := s.gears[arg.Key]; g != nil {
			g.Start()
		} else if p := s.peers[arg.Key]; p != nil {
			p.Talk()
		} else {
			d.Fatalf(t, "%s is no peer and no gear", arg.Key)
		}
	}
}

func (s *interaction) hush(t *testing.T, d *datadriven.TestData) {
	if g := s.gears[first(t, d)]; g != nil {
		g.Hush()
		return
	}
	s.peerOf(t, d).Hush()
}

func (s *interaction) say(t *testing.T, d *datadriven.TestData) {
	p := s.peerOf(t, d)
	frame := p.Next(func(m *eapol.MKPDU) { edit(t, d, m) })
	if d.HasArg("lists-last") {
		frame = p.Rewrite(frame, mkatest.ListsLast)
	}
	trailer := 0
	scan(t, d, "trailer", &trailer)
	frame = append(frame, make([]byte, trailer)...)
	s.said[first(t, d)] = append(s.said[first(t, d)], frame)
	p.Send(frame)
}

// edit alters what a peer says.
func edit(t *testing.T, d *datadriven.TestData, m *eapol.MKPDU) {
	var list, use string
	var mn int
	var lpn uint32
	scan(t, d, "mn", &mn)
	for _, l := range [...][]eapol.ListedPeer{m.Live.Peers, m.Potential.Peers} {
		for i := range l {
			l[i].MN += eapol.MN(mn)
		}
	}
	heard := append(m.Live.Peers, m.Potential.Peers...)
	if scan(t, d, "list", &list) {
		m.Live, m.Potential = eapol.PeerList{}, eapol.PeerList{}
		switch list {
		case "potential":
			m.Potential = eapol.PeerList{Present: true, Peers: heard}
		case "live":
			m.Live = eapol.PeerList{Present: true, Peers: heard}
		}
	}
	if scan(t, d, "use", &use) {
		moveUse(&m.SAKUse, use)
	}
	if scan(t, d, "lpn", &lpn) {
		m.SAKUse.Latest.LPN, m.SAKUse.Old.LPN = lpn, lpn
	}
	m.SAKUse.DelayProtect = d.HasArg("delay-protect")
	scan(t, d, "priority", &m.Basic.KeyServerPriority)
	if d.HasArg("flag") {
		m.Basic.KeyServer = false
	}
	if scan(t, d, "suspend", &m.XPN.SuspensionTime) {
		m.XPN.Present = true
	}
	m.ICVIndicator = d.HasArg("indicator")
}

// moveUse puts the key that a peer uses into other halves of SAK Use.
func moveUse(u *eapol.SAKUse, where string) {
	k := u.Latest
	if k.KI.IsZero() {
		k = u.Old
	}
	u.Latest, u.Old = eapol.KeyUse{}, eapol.KeyUse{}
	switch where {
	case "none":
		*u = eapol.SAKUse{}
	case "latest":
		u.Latest = k
	case "old":
		u.Old = k
	case "both":
		u.Latest, u.Old = k, eapol.KeyUse{KI: k.KI, AN: k.AN}
	}
}

func (s *interaction) desire(t *testing.T, d *datadriven.TestData) {
	s.peerOf(t, d).Desired = d.HasArg("yes")
}

func (s *interaction) generate(t *testing.T, d *datadriven.TestData) {
	list := suitesOf(t, d)
	if len(list) != 1 {
		d.Fatalf(t, "one suite is needed")
	}
	s.peerOf(t, d).Generate(list[0], secy.Offset0)
	s.say(t, d)
}

func (s *interaction) replay(t *testing.T, d *datadriven.TestData) {
	back := 0
	d.ScanArgs(t, "back", &back)
	said := s.said[first(t, d)]
	s.peerOf(t, d).Send(said[len(said)-1-back])
}

func (s *interaction) rekey(t *testing.T, d *datadriven.TestData) {
	if g := s.gears[first(t, d)]; g != nil {
		g.Rekey()
		return
	}
	if err := s.kayOf(t, d).Step(mka.RekeyRequested{}); err != nil {
		fmt.Fprintf(s.log, "error: %v\n", err)
	}
}

func (s *interaction) restart(t *testing.T, d *datadriven.TestData) {
	if g := s.gears[first(t, d)]; g != nil {
		g.Restart(time.Second)
		return
	}
	m := s.kayOf(t, d)
	m.Restart()
	m.Up(ckn, cak())
}

func (s *interaction) rejoin(t *testing.T, d *datadriven.TestData) { s.peerOf(t, d).Rejoin() }

func (s *interaction) priority(t *testing.T, d *datadriven.TestData) {
	p := s.peerOf(t, d)
	if _, err := fmt.Sscan(d.CmdArgs[1].Key, &p.Priority); err != nil {
		d.Fatalf(t, "%v", err)
	}
}

func (s *interaction) link(t *testing.T, d *datadriven.TestData) {
	s.kayOf(t, d).MustStep(mka.LinkChanged{Up: d.HasArg("up")})
}

func (s *interaction) fail(t *testing.T, d *datadriven.TestData) {
	var name string
	d.ScanArgs(t, "op", &name)
	s.kayOf(t, d).SecY.Fail = func(op secy.Op) string {
		if op.Kind.String() == name {
			return "the script says so"
		}
		return ""
	}
}

func (s *interaction) obey(t *testing.T, d *datadriven.TestData) { s.kayOf(t, d).SecY.Fail = nil }

func (s *interaction) sever(t *testing.T, d *datadriven.TestData) {
	var from, to string
	d.ScanArgs(t, "from", &from)
	d.ScanArgs(t, "to", &to)
	if d.Cmd == "drop" {
		s.Sever(s.station(t, d, from), s.station(t, d, to))
	} else {
		s.Join(s.station(t, d, from), s.station(t, d, to))
	}
}

func (s *interaction) station(t *testing.T, d *datadriven.TestData, name string) mkatest.Station {
	switch {
	case s.kays[name] != nil:
		return s.kays[name]
	case s.gears[name] != nil:
		return s.gears[name]
	case s.peers[name] != nil:
		return s.peers[name]
	}
	d.Fatalf(t, "nobody is called %s", name)
	return nil
}

func (s *interaction) jump(t *testing.T, d *datadriven.TestData) {
	s.kayOf(t, d).Jump(parse(t, d, d.CmdArgs[1].Key))
	s.Run(0)
}

func (s *interaction) setQuiet(_ *testing.T, d *datadriven.TestData) {
	clear(s.log.quiet)
	for _, arg := range d.CmdArgs {
		s.log.quiet[arg.Key] = true
	}
}

func (s *interaction) advance(t *testing.T, d *datadriven.TestData) { s.Run(parse(t, d, first(t, d))) }

// state tells how a KaY stands, and when it wants to be woken.
func (s *interaction) state(t *testing.T, d *datadriven.TestData) {
	m := s.kayOf(t, d)
	st := m.Status()
	tx := "nothing"
	if st.Tx != (mka.KeyStatus{}) {
		tx = s.log.ki(st.Tx.KI)
	}
	fmt.Fprintf(s.log, "%s %s: secured %t, plain %t, transmits with %s", m.Name, st.CP, st.Secured, st.Plain, tx)
	if st.Secured {
		fmt.Fprintf(s.log, " (%s)", st.CipherSuite)
	}
	s.log.WriteByte('\n')
	for _, p := range st.Participants {
		principal := ""
		if len(st.Participants) > 1 && p.Principal {
			principal = " (principal)"
		}
		server := "nobody"
		if p.KeyServer != 0 {
			server = s.log.sci(p.KeyServer)
		}
		fmt.Fprintf(s.log, "  %s%s mn %d, key server %s", s.log.mi(p.MI), principal, p.MN, server)
		for _, q := range p.Peers {
			state := "potential"
			if q.Live {
				state = "live"
			}
			fmt.Fprintf(s.log, ", %s %s mn %d", state, s.log.mi(q.MI), q.MN)
		}
		s.log.WriteByte('\n')
	}
	for r := eapol.Accepted + 1; int(r) < eapol.NumDiscards; r++ {
		if n := st.Discards[r]; n > 0 {
			fmt.Fprintf(s.log, "  discarded %d: %s\n", n, r)
		}
	}
	if at, ok := m.KaY.Deadline(); ok {
		fmt.Fprintf(s.log, "  deadline %.3f\n", float64(at)/1e9)
	}
}
