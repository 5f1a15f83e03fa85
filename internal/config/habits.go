package config

import (
	"fmt"
	"net"
	"time"

	"mkad/eapol"
	"mkad/mka"
)

// Bounds of the times of MKA.
const (
	minHelloTime = mka.BoundedHelloTime
	maxHelloTime = time.Minute
	maxLifeTime  = 10 * time.Minute
	// hellosInLife is how many hellos a life should have room for: one may be lost, and another late.
	hellosInLife = 3
)

// habits reads what implementations of MKA do differently.
func (t *table) habits(p *Port) {
	t.mkaVersion(&p.MKAVersion)
	t.boolean("icv_indicator", &p.ICVIndicator)
	t.times(p)
	choice(t, "in_service_slot", &p.InServiceSlot, LatestSlot, OldSlot)
	t.boolean("allow_priority_255", &p.AllowPriority255)
	t.etherType(&p.EAPOLEtherType)
	t.destination(&p.EAPOLDestination)
	choice(t, "eapol_accept", &p.EAPOLAccept, AcceptDestination, AcceptStandard)
}

// mkaVersion reads the one MKA version to be sent, a number, or "auto".
func (t *table) mkaVersion(dst *uint8) {
	const key, remedy = "mka_version", `write "auto", 1, 2 or 3`
	switch v := t.values[key].(type) {
	case nil:
	case string:
		if v != "auto" {
			t.fail(key, show(v)+" is none of its values", remedy)
		}
	case int64:
		if v < 1 || v > 3 {
			t.fail(key, fmt.Sprintf("%d is no MKA version", v), remedy)
			return
		}
		*dst = uint8(v)
		if v == 1 {
			t.warn(key, "MKA version 1 announces no cipher suites: peers are offered one after the other",
				`list few in cipher_suites, or write "auto"`)
		}
	default:
		t.fail(key, "is "+kindOf(v)+", neither a string nor an integer", remedy)
	}
}

// times reads Hello Time and Life Time. Without a Life Time of its own a longer Hello Time lengthens it.
func (t *table) times(p *Port) {
	hello := t.time("hello_time", &p.HelloTime, minHelloTime, maxHelloTime)
	if !t.has("life_time") {
		p.LifeTime = max(p.LifeTime, hellosInLife*p.HelloTime)
	}
	life := t.time("life_time", &p.LifeTime, minHelloTime, maxLifeTime)
	if !hello || !life {
		return
	}
	if p.HelloTime > mka.HelloTime {
		t.warn("hello_time", fmt.Sprintf("peers that keep to the standard forget us %s after one hello that is lost or late", mka.LifeTime),
			fmt.Sprintf(`leave it out: for a peer with slow hellos life_time = "%s" is enough`, hellosInLife*p.HelloTime))
	}
	switch {
	case p.LifeTime <= p.HelloTime:
		t.fail("life_time", fmt.Sprintf("is not longer than hello_time, %s: peers would be lost between their hellos", p.HelloTime),
			fmt.Sprintf(`write at least "%s"`, hellosInLife*p.HelloTime))
	case p.LifeTime < hellosInLife*p.HelloTime:
		t.warn("life_time", fmt.Sprintf("is less than %d times hello_time: one lost hello may end the link", hellosInLife),
			fmt.Sprintf(`write at least "%s"`, hellosInLife*p.HelloTime))
	case p.LifeTime < mka.LifeTime:
		t.warn("life_time", fmt.Sprintf("is less than %s: peers with hellos every %s are lost with one of them", mka.LifeTime, mka.HelloTime),
			"leave it out, unless all peers send hellos more often")
	}
}

// time reads a duration within bounds; false: what is written is not good.
func (t *table) time(key string, dst *time.Duration, lo, hi time.Duration) bool {
	d, text, ok := t.duration(key, dst.String(), fmt.Sprintf("%q", *dst))
	switch {
	case !t.has(key):
		return true
	case !ok:
		return false
	case d < lo || d > hi:
		t.fail(key, show(text)+" is out of range", fmt.Sprintf(`write a duration from "%s" to "%s"`, lo, hi))
		return false
	}
	*dst = d
	return true
}

// minEtherType is the least EtherType: what is below is a length.
const minEtherType = 0x0600

// otherProtocols are EtherTypes that a lower device, closed but for EAPOL, must not let pass for it.
var otherProtocols = map[uint16]string{
	0x0800: "IPv4", 0x0806: "ARP", 0x86dd: "IPv6", 0x8100: "VLAN tags", 0x88a8: "provider VLAN tags", 0x8847: "MPLS",
	0x8848: "MPLS", 0x8863: "PPPoE", 0x8864: "PPPoE", 0x88e5: "MACsec", 0x88cc: "LLDP", 0x8809: "LACP",
}

// etherType reads an EtherType in the place of EAPOL's own.
func (t *table) etherType(dst *uint16) {
	const key = "eapol_ethertype"
	v, ok := value[int64](t, key, fmt.Sprintf("0x%04x", *dst))
	remedy := fmt.Sprintf("write the peer's, for instance 0x876f, or leave the key out for 0x%04x", eapol.EtherType)
	switch {
	case !ok:
	case v < minEtherType || v > 0xffff:
		t.fail(key, fmt.Sprintf("%#x is not an EtherType", v), "write one from 0x0600 to 0xffff, for instance 0x876f")
	case otherProtocols[uint16(v)] != "":
		t.fail(key, fmt.Sprintf("0x%04x is that of %s", v, otherProtocols[uint16(v)]), remedy)
	default:
		*dst = uint16(v)
	}
}

// destination reads the address to which EAPOL frames go (802.1X-2020 11.1.1): a group's, or a peer's own.
func (t *table) destination(dst *eapol.MAC) {
	const key = "eapol_destination"
	text := dst.String()
	if !t.text(key, &text) {
		return
	}
	remedy := fmt.Sprintf("write a group address, for instance %q, or the address of the only peer", dst)
	address, err := net.ParseMAC(text)
	switch {
	case err != nil || len(address) != len(dst):
		t.fail(key, show(text)+" is not a MAC address", remedy)
		return
	case eapol.MAC(address) == eapol.MAC{}:
		t.fail(key, show(text)+" is nobody's address", remedy)
		return
	}
	*dst = eapol.MAC(address)
	switch {
	case *dst == (eapol.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}):
		t.warn(key, "every bridge carries a broadcast to everybody", "use it only where nothing else gets through to the peer")
	case !dst.IsGroup():
		t.warn(key, "an individual address reaches one peer, and bridges carry it further than a group address",
			"write a group address unless nothing else gets through to the peer, which needs our own address in its place")
	}
}
