package mkatest

import (
	"cmp"
	"slices"
	"time"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/mka"
	"mkad/secy"
)

// Gear is somebody else's implementation of MKA, with a CA to itself: a Peer that acts by itself, as its Profile says.
type Gear struct {
	Peer
	Profile Profile
	Refused map[string]int // MKPDUs that it did not take, by the reason
	NewMIs  int            // that it took, to begin with and because of us

	served []eapol.MI // the live peers for whom the last SAK was made
	madeAt mka.Time   // when it was
	lives  map[eapol.MI]*life
	keyed  bool     // it has made a SAK
	keyAt  mka.Time // when it took the key that it has
}

// life is what it knows of a peer beside what it says.
type life struct {
	heard, expires mka.Time
	mute           int // MKPDUs without SAK Use in a row
}

// AddGear puts an implementation on the current segment, silent, with the SCI of the n-th member and the CAK of a CA.
func (l *LAN) AddGear(profile Profile, n int, ckn string, cak keyderive.CAK) *Gear {
	g := &Gear{Profile: profile, Refused: map[string]int{}}
	l.initPeer(&g.Peer, n, ckn, cak)
	g.name = profile.Name
	g.port = l.attach(g)
	g.Version, g.Priority, g.Capability = profile.Version, profile.Priority, profile.Capability
	if profile.Announces {
		g.Announces = profile.Suites
	}
	g.InOld = profile.Slot == AnySlot || profile.Slot == OldSlot
	g.Takes = func(c secy.CipherSuite) bool { return slices.Contains(profile.Suites, c) }
	g.Rejoin()
	return g
}

// Rejoin makes it a new member, as when it restarts.
func (g *Gear) Rejoin() {
	g.Peer.Rejoin()
	g.Use = eapol.SAKUse{}
	g.KeyServer = true
	g.NewMIs++
	g.served, g.keyed, g.lives = nil, false, map[eapol.MI]*life{}
}

// Start lets it speak.
func (g *Gear) Start() {
	g.Period = g.Profile.Hello
	g.say()
}

// Restart has it neither speak nor hear for d, and then start as a new member.
func (g *Gear) Restart(d time.Duration) {
	g.Hush()
	g.Rejoin()
	g.lan.After(d, g.Start)
}

// Rekey lets it make another SAK, if it is key server.
func (g *Gear) Rekey() {
	if g.serves() {
		g.served = nil
		g.serve()
	}
}

// Transmits reports whether it transmits with the key that it has.
func (g *Gear) Transmits() bool { return g.transmits() }

// life of its own: how long a peer lives unheard.
func (g *Gear) lifeTime() time.Duration { return cmp.Or(g.Profile.Life, mka.LifeTime) }

func (g *Gear) wake() {
	g.expire()
	g.serve()
	g.say()
}

// say sends its next MKPDU.
func (g *Gear) say() {
	frame := g.Next(g.dress)
	if g.Profile.ListsLast {
		frame = g.Rewrite(frame, ListsLast)
	}
	g.send(frame)
	g.next = g.lan.Now.Add(g.Period)
	g.rearm()
}

// dress gives an MKPDU what the profile has of its own.
func (g *Gear) dress(m *eapol.MKPDU) {
	m.DA = cmp.Or(g.Profile.Destination, eapol.PAEGroup)
	m.EtherType = g.Profile.EtherType
	m.ICVIndicator = g.Profile.ICVIndicator
	m.XPN.Present = g.Profile.XPNSet == XPNAlways || g.Profile.XPNSet == XPNWithSuite && g.Key.Suite.XPN()
	if g.Profile.ZeroLPN {
		m.SAKUse.Latest.LPN, m.SAKUse.Old.LPN = 0, 0
	}
	if u := &m.SAKUse; g.Profile.Slot == BothSlots && u.Old.KI.IsZero() && !u.Latest.KI.IsZero() {
		u.Old = eapol.KeyUse{KI: u.Latest.KI, AN: u.Latest.AN}
	}
}

// ListsLast, for Rewrite, moves the peer lists behind the other sets, before an ICV Indicator.
func ListsLast(sets [][]byte) [][]byte {
	const live, potential, indicator = 1, 2, 255
	rank := func(set []byte) int {
		switch set[0] {
		case live, potential:
			return 1
		case indicator:
			return 2
		}
		return 0
	}
	slices.SortStableFunc(sets[1:], func(a, b []byte) int { return cmp.Compare(rank(a), rank(b)) })
	return sets
}

// receive takes what is authentic and to its taste, and does what follows from it.
func (g *Gear) receive(frame []byte) {
	if g.Period == 0 {
		return
	}
	m := g.open(frame)
	if m == nil {
		return
	}
	g.Received = append(g.Received, Received{g.lan.Now, frame, m})
	g.expire()
	if why := g.refuses(m, frame); why != "" {
		g.Refused[why]++
		return
	}
	before, key := g.Use, g.Key.KI
	news := g.hear(m)
	if m.Basic.SCI == g.keyServer() {
		g.follow(m)
	}
	g.serve()
	if g.Key.KI != key {
		g.keyAt = g.lan.Now
	}
	if g.Period > 0 && !g.Profile.Lazy && (news || g.Use != before || g.Key.KI != key) {
		g.say()
	}
}

// open parses and verifies a frame that is for it; nil: it is not, or is bad.
func (g *Gear) open(frame []byte) *eapol.MKPDU {
	m := new(eapol.MKPDU)
	a := eapol.Acceptance{EtherType: g.Profile.EtherType, Destinations: g.Profile.Groups, AnyGroup: g.Profile.Groups == nil}
	if eapol.ParseEnvelope(frame, a, m) != eapol.Accepted || m.Basic.CKN != g.ckn {
		g.Refused["destination, EtherType or CKN"]++
		return nil
	}
	if !g.ick.Verify(m.Authenticated(), m.ICV[:]) || m.ParseSets() != eapol.Accepted {
		g.Bad++
		return nil
	}
	return m
}

// refuses says why it does not take an MKPDU; empty: it does.
func (g *Gear) refuses(m *eapol.MKPDU, frame []byte) string {
	p, b := &g.Profile, &m.Basic
	other := g.other(b.SCI)
	switch {
	case p.OnlyVersion != 0 && b.MKAVersion != p.OnlyVersion:
		return "MKA version"
	case p.OnlyAscending && !ascending(frame):
		return "sets that do not ascend"
	case p.NeedsIndicator && !m.ICVIndicator:
		return "no ICV Indicator"
	case p.OnlyOne && other == nil && len(g.Others) > 0:
		return "a second peer"
	case p.OnlyOne && b.SCI.MAC() == g.SCI.MAC():
		return "our MAC"
	case other != nil && other.Last.Basic.MI == b.MI && b.MN <= other.Last.Basic.MN:
		return "replay"
	case other != nil && other.Last.Basic.MI != b.MI && other.Lists && p.FormerLife > 0:
		l := g.lives[other.Last.Basic.MI]
		l.expires = min(l.expires, g.lan.Now.Add(p.FormerLife))
		return "the former life is not over"
	}
	return g.refusesUse(m, other)
}

// refusesUse is refuses for SAK Use.
func (g *Gear) refusesUse(m *eapol.MKPDU, other *Other) string {
	p, u := &g.Profile, &m.SAKUse
	live := other != nil && other.Lists && other.Last.Basic.MI == m.Basic.MI || g.proves(m)
	switch {
	case p.Impatient && u.Present && !u.Empty && !live && !m.DistributedSAK.Present:
		g.Rejoin()
		return "SAK Use before it was live"
	case p.Impatient && u.Present && u.DelayProtect && (u.Latest.LPN == 0 || u.Old.LPN == 0):
		g.Rejoin()
		return "Delay Protect without a lowest PN"
	case p.NeedsUse && live && !u.Present && g.lives[m.Basic.MI] != nil && g.lives[m.Basic.MI].mute >= 10:
		return "no SAK Use"
	}
	for _, k := range [...]eapol.KeyUse{u.Latest, u.Old} {
		if p.NeedsLPN && k.LPN == 0 && k.KI == g.Key.KI && !k.KI.IsZero() {
			return "no lowest PN"
		}
	}
	return ""
}

// ascending reports whether the types of the sets after the first ascend.
func ascending(frame []byte) bool {
	last := -1
	for i, set := range setsOf(frame) {
		if i > 0 && int(set[0]) <= last {
			return false
		} else if i > 0 {
			last = int(set[0])
		}
	}
	return true
}

// proves reports whether the MKPDU lists it with one of the last two MNs that it sent.
func (g *Gear) proves(m *eapol.MKPDU) bool {
	for _, list := range [...]*eapol.PeerList{&m.Live, &m.Potential} {
		for _, q := range list.Peers {
			if q.MI == g.MI && q.MN <= g.MN && q.MN+1 >= g.MN {
				return true
			}
		}
	}
	return false
}

// hear remembers the sender, and tells whether others are to hear of it.
func (g *Gear) hear(m *eapol.MKPDU) (news bool) {
	b := &m.Basic
	proof := g.proves(m)
	o := g.other(b.SCI)
	switch {
	case o == nil:
		o = &Other{Last: m}
		g.Others = append(g.Others, o)
		news = true
	case o.Last.Basic.MI != b.MI:
		delete(g.lives, o.Last.Basic.MI)
		o.Lists, news = false, true
	}
	l := g.lives[b.MI]
	if l == nil {
		l = &life{expires: g.lan.Now.Add(g.lifeTime())}
		g.lives[b.MI] = l
	}
	if proof && !o.Lists {
		o.Lists, news = true, true
	}
	g.readsOnly(m)
	o.Last, l.heard = m, g.lan.Now
	l.mute++
	if m.SAKUse.Present && g.seesUse(m) {
		l.mute = 0
	}
	if o.Lists && Lists(m, g.MI) && (l.mute == 0 || !g.Profile.NeedsUse && g.Profile.Reads == AnySlot) || !o.Lists {
		l.expires = g.lan.Now.Add(g.lifeTime())
	}
	g.Use.Present = g.Use.Present || o.Lists
	return news
}

// readsOnly forgets the half of SAK Use that it does not look at.
func (g *Gear) readsOnly(m *eapol.MKPDU) {
	switch g.Profile.Reads {
	case LatestSlot:
		m.SAKUse.Old = eapol.KeyUse{}
	case OldSlot: // as Latest it takes only what is new
		if g.Transmits() && g.lan.Now >= g.keyAt.Add(mka.SAKRetireTime) {
			m.SAKUse.Latest = eapol.KeyUse{}
		}
	}
}

// seesUse reports whether it sees, where it looks, that the sender uses the key that has been in service for a while.
func (g *Gear) seesUse(m *eapol.MKPDU) bool {
	if g.Profile.Reads == AnySlot || !g.Transmits() || g.lan.Now < g.keyAt.Add(mka.LifeTime) {
		return true
	}
	u, _ := UseOf(m, g.Key.KI)
	return u.Rx
}

func (g *Gear) other(sci secy.SCI) *Other {
	for _, o := range g.Others {
		if o.Last.Basic.SCI == sci {
			return o
		}
	}
	return nil
}

// expire forgets whom it has not heard for its Life Time.
func (g *Gear) expire() {
	server := g.Key.KI.MI
	lost := false
	g.Others = slices.DeleteFunc(g.Others, func(o *Other) bool {
		mi := o.Last.Basic.MI
		if g.lan.Now < g.lives[mi].expires {
			return false
		}
		delete(g.lives, mi)
		lost = lost || mi == server
		return true
	})
	if len(g.live()) == 0 {
		g.Key, g.Use, g.Offer, g.served = Key{}, eapol.SAKUse{}, eapol.DistributedSAK{}, nil
	}
	if lost && g.Profile.ResetsMI {
		g.Rejoin()
	}
}

// keyServer is the SCI of whom it has elected; 0: nobody.
func (g *Gear) keyServer() (best secy.SCI) {
	var priority uint8
	consider := func(sci secy.SCI, p uint8) {
		if (p != 255 || g.Profile.Elects255) && (best == 0 || p < priority || p == priority && sci < best) {
			best, priority = sci, p
		}
	}
	for _, o := range g.Others {
		if o.Lists && o.Last.Basic.KeyServer {
			consider(o.Last.Basic.SCI, o.Last.Basic.KeyServerPriority)
		}
	}
	if len(g.live()) > 0 {
		consider(g.SCI, g.Priority)
	}
	return best
}

func (g *Gear) serves() bool { return g.keyServer() == g.SCI }

// serve does the key server's work: another SAK for other members, and its transmission when all have it.
func (g *Gear) serve() {
	server := g.keyServer()
	g.KeyServer = server == 0 || server == g.SCI
	if server != g.SCI {
		g.Offer, g.served = eapol.DistributedSAK{}, nil
		return
	}
	members := g.members()
	early := g.keyed && g.lan.Now < g.madeAt.Add(g.lifeTime())
	switch {
	case slices.Equal(members, g.served):
		g.Peer.serve()
	case early && g.Profile.LosesTriggers && g.served != nil:
		g.served = members
	case early && len(members) < len(g.Others): // others are about to be live
	default:
		g.served, g.madeAt, g.keyed = members, g.lan.Now, true
		g.Generate(g.suite(), secy.Offset0)
	}
}

// members are the MIs of the live peers, in their order.
func (g *Gear) members() (mis []eapol.MI) {
	for _, o := range g.Others {
		if o.Lists {
			mis = append(mis, o.Last.Basic.MI)
		}
	}
	return mis
}

// suite is what it makes a SAK of: its first that all announce, or its first.
func (g *Gear) suite() secy.CipherSuite {
	for _, c := range g.Profile.Suites {
		if g.Profile.Announces && !slices.ContainsFunc(g.Others, func(o *Other) bool { return o.Lists && !announces(o.Last, c) }) {
			return c
		}
	}
	return g.Profile.Suites[0]
}

func announces(m *eapol.MKPDU, c secy.CipherSuite) bool {
	return slices.ContainsFunc(m.Announcement.Suites, func(a eapol.AnnouncedSuite) bool { return a.Suite == c })
}
