package mkatest

import (
	"time"

	"mkad/eapol"
	"mkad/secy"
)

// A Profile is what an implementation of MKA does that others do not, as data: what it sends, what it takes, and how it
// behaves. The zero value of a field is what the standard says.
type Profile struct {
	Name string

	// What it sends.
	Version      uint8
	Priority     uint8
	Capability   secy.Capability
	Suites       []secy.CipherSuite // that it knows; as key server it takes the first, or the first that all announce
	Announces    bool               // its suites
	Hello        time.Duration
	Lazy         bool // it answers nothing at once: all waits for its next hello
	ICVIndicator bool
	XPNSet       XPNSet
	Slot         Slot
	ZeroLPN      bool      // it tells no lowest acceptable PN
	ListsLast    bool      // its peer lists stand behind the other sets
	Destination  eapol.MAC // zero: the PAE group
	EtherType    uint16    // 0: EAPOL's own

	// What it takes. What it does not take has no effect on it but to be counted in Gear.Refused.
	OnlyVersion    uint8 // 0: any
	OnlyAscending  bool  // parameter sets by ascending type
	NeedsIndicator bool  // at the end of each MKPDU
	NeedsUse       bool  // SAK Use: without it an MKPDU of a live peer does not prolong its life, and the eleventh is refused
	NeedsLPN       bool  // of each key that it knows
	OnlyOne        bool  // peer
	Groups         []eapol.MAC
	Reads          Slot // where it looks for a key in service

	// How it behaves.
	Life          time.Duration
	Elects255     bool
	Impatient     bool          // it drops its MI for SAK Use that comes before the sender is live
	FormerLife    time.Duration // how much longer a restarted peer's former life goes on, and the new one is not heard
	ResetsMI      bool          // when its key server expires
	LosesTriggers bool          // for another SAK, within Life of the last
}

// An XPNSet says when the XPN parameter set is sent.
type XPNSet uint8

// When it is.
const (
	XPNWithSuite XPNSet = iota // with XPN suites
	XPNNever
	XPNAlways
)

// A Slot is a half of SAK Use, or both.
type Slot uint8

// The halves, for a key in service.
const (
	AnySlot    Slot = iota // as CP has it: Latest, then Old
	LatestSlot             // always
	OldSlot                // as soon as the key before has retired
	BothSlots              // Latest, and again Old without being used there
)

// The profiles of implementations that are known. What they are made of is in docs/interop.md.
var (
	Hostap210 = Profile{Name: "hostap 2.10", Version: 1, Priority: 255, Capability: secy.CapabilityConfidentiality,
		Suites: []secy.CipherSuite{secy.GCMAES128}, Hello: HelloPeriod, XPNSet: XPNNever, Slot: OldSlot, NeedsUse: true,
		Groups: []eapol.MAC{eapol.PAEGroup}, Elects255: true, Impatient: true, FormerLife: 3 * time.Second,
		LosesTriggers: true}
	Hostap211 = with(Hostap210, func(p *Profile) {
		p.Name, p.Suites, p.ResetsMI = "hostap 2.11", []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, true
	})
	HostapHead = with(Hostap211, func(p *Profile) { p.Name, p.Groups, p.ICVIndicator = "hostap after 2.11", nil, true })
	SONiC      = with(Hostap210, func(p *Profile) {
		p.Name, p.Suites, p.NeedsUse = "SONiC", []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAESXPN128}, false
	})
	MKAdaemon = Profile{Name: "MKAdaemon", Version: 3, Priority: 16, Capability: secy.CapabilityConfidentiality,
		Suites: []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAES256, secy.GCMAES128}, Announces: true, Hello: HelloPeriod,
		XPNSet: XPNAlways, Slot: OldSlot, OnlyVersion: 3, OnlyAscending: true, NeedsLPN: true, OnlyOne: true, Elects255: true}
	Nokia = Profile{Name: "Nokia", Version: 1, Priority: 16, Capability: secy.CapabilityOffsets,
		Suites: []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256}, Hello: 5 * time.Second, Lazy: true, ICVIndicator: true,
		XPNSet: XPNAlways, Slot: LatestSlot, Life: 15 * time.Second}
	Cisco = Profile{Name: "Cisco", Version: 1, Priority: 16, Capability: secy.CapabilityOffsets,
		Suites: []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, Hello: HelloPeriod, ICVIndicator: true,
		Slot: BothSlots, ZeroLPN: true, ListsLast: true, Destination: eapol.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		EtherType: 0x876f, NeedsIndicator: true}
	Juniper = Profile{Name: "Juniper", Version: 1, Priority: 16, Capability: secy.CapabilityConfidentiality,
		Suites: []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, Hello: 10 * time.Second, Lazy: true, XPNSet: XPNNever,
		Life: 30 * time.Second}
	Arista = Profile{Name: "Arista", Version: 1, Priority: 16, Capability: secy.CapabilityConfidentiality,
		Suites: []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, Hello: HelloPeriod}
	Tester = Profile{Name: "a tester", Version: 3, Priority: 16, Capability: secy.CapabilityConfidentiality,
		Suites: []secy.CipherSuite{secy.GCMAESXPN128}, Announces: true, Hello: HelloPeriod, Slot: LatestSlot,
		Reads: LatestSlot}
)

// Profiles are all of them.
var Profiles = []Profile{Hostap210, Hostap211, HostapHead, SONiC, MKAdaemon, Nokia, Cisco, Juniper, Arista, Tester}

func with(p Profile, edit func(*Profile)) Profile {
	edit(&p)
	return p
}
