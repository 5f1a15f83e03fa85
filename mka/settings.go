package mka

import (
	"fmt"
	"time"

	"mkad/eapol"
)

// Settings are what may change while a KaY is at work: its participants go on, and so does what is in service.
type Settings struct {
	Destination eapol.MAC // of our MKPDUs; zero: the PAE group address
	Acceptance  eapol.Acceptance

	KeyServerPriority uint8
	ReplayProtect     bool
	ReplayWindow      uint32
	SendSCI           bool
	DelayProtect      bool
	SAKLifetime       time.Duration // 0: until membership or packet numbers ask for another
	Habits
}

// Habits are what implementations of MKA do differently. The zero value suits all that follow the standard, and most
// others; docs/interop.md tells who needs what.
type Habits struct {
	// Version is the only MKA version that is sent; 0: the highest, or that of a peer which answers no higher one.
	Version uint8
	// ICVIndicator ends each MKPDU with an ICV Indicator, which an ICV of 16 octets does not need (11.11.3).
	ICVIndicator bool
	// HelloTime and LifeTime replace the constants of those names (Table 9-3); 0: they stand. A LifeTime of less than
	// three hellos of any member lets it die of lost MKPDUs.
	HelloTime, LifeTime time.Duration
	// InServiceOld reports the key in service as the Old one, as CP has it (12.4), once it was reported as the Latest.
	InServiceOld bool
	// ElectLast lets Key Server Priority 255 be elected after all others, against 9.5.
	ElectLast bool
}

// complete fills in what is left to us, and refuses what cannot be.
func (s *Settings) complete() error {
	if s.Version > mkaVersion {
		return fmt.Errorf("mka: MKA version %d is unknown", s.Version)
	}
	if s.Destination == (eapol.MAC{}) {
		s.Destination = eapol.PAEGroup
	}
	return nil
}

// secY reports whether the SecY is to hear of the difference.
func (s *Settings) secY(o *Settings) bool {
	return s.ReplayProtect != o.ReplayProtect || s.ReplayWindow != o.ReplayWindow || s.SendSCI != o.SendSCI
}

// changeSettings goes on with others. Our peers hear of them at once, and elect a key server by them (9.5).
func (k *KaY) changeSettings(s Settings, out *Output) error {
	if err := s.complete(); err != nil {
		return err
	}
	before := k.cfg.Settings
	k.cfg.Settings = s
	for _, p := range k.participants {
		if s.Version != before.Version {
			p.version = k.highestVersion()
		}
		p.newInfo = true
		p.elect(out)
	}
	if k.cp.portValid && s.secY(&before) { // else SECURED does it
		k.configure(out)
	}
	return nil
}

// ElectsOther reports whether the principal participant would have another key server with these Settings. A SAK of another
// key server passes through the CP state CHANGE (Figure 12-2), in which the Controlled Port carries nothing.
func (k *KaY) ElectsOther(s Settings) bool {
	p := k.principal
	if p == nil || p.holdsElections() {
		return false
	}
	before := k.cfg.Settings
	defer func() { k.cfg.Settings = before }()
	k.cfg.Settings = s
	best := k.elect(candidate{}, candidate{k.cfg.SCI, s.KeyServerPriority})
	for i := range p.peers {
		if q := &p.peers[i]; q.live { // whatever its flag says: it clears that for us
			best = k.elect(best, candidate{q.sci, q.priority})
		}
	}
	return best.sci != p.server.sci
}
