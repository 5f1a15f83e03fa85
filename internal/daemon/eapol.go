package daemon

import (
	"slices"

	"mkad/eapol"
	"mkad/internal/config"
	"mkad/internal/filter"
	"mkad/mka"
)

// standardGroups are the destinations of Table 11-1 of 802.1X-2020.
var standardGroups = []eapol.MAC{eapol.PAEGroup, eapol.NearestBridge, eapol.NearestCustomerBridge}

// acceptance says which frames are MKPDUs for a port whose lower device has the address own.
func acceptance(cfg config.Port, own eapol.MAC) eapol.Acceptance {
	a := eapol.Acceptance{EtherType: cfg.EAPOLEtherType}
	if d := cfg.EAPOLDestination; d.IsGroup() {
		a.Destinations = []eapol.MAC{d}
	} else { // the peer's own: it has ours
		a.Station = own
	}
	if cfg.EAPOLAccept == config.AcceptStandard {
		for _, d := range standardGroups {
			if !slices.Contains(a.Destinations, d) {
				a.Destinations = append(a.Destinations, d)
			}
		}
	}
	return a
}

// groups are the group addresses that the lower device has to let in: those that are accepted, and the standard ones, so that
// a peer whose destination is another can be told from one that is silent.
func (p *port) groups() (list [][6]byte) {
	for _, d := range slices.Concat(acceptance(p.cfg, p.link.MAC).Destinations, standardGroups) {
		if mac := [6]byte(d); !slices.Contains(list, mac) {
			list = append(list, mac)
		}
	}
	return list
}

// eapolFrames are what the closed lower device passes for MKA.
func (p *port) eapolFrames() filter.EAPOL {
	e := filter.EAPOL{EtherType: p.cfg.EAPOLEtherType, In: p.groups(), Out: [][6]byte{p.cfg.EAPOLDestination}}
	if own := acceptance(p.cfg, p.link.MAC).Station; own != (eapol.MAC{}) {
		e.In = append(e.In, own)
	}
	return e
}

// habits tells MKA what the peers need.
func habits(p config.Port) mka.Habits {
	return mka.Habits{
		Version:      p.MKAVersion,
		ICVIndicator: p.ICVIndicator,
		HelloTime:    p.HelloTime,
		LifeTime:     p.LifeTime,
		InServiceOld: p.InServiceSlot == config.OldSlot,
		ElectLast:    p.AllowPriority255,
	}
}
