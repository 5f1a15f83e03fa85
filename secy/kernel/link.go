package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// A linkInfo is what rtnetlink says of a network device.
type linkInfo struct {
	index     int
	name      string
	kind      string // "macsec", "vlan"; empty for a physical device
	lower     int    // IFLA_LINK; 0: none
	lowerNS   bool   // the lower device is in another namespace
	master    int    // ifindex of the bridge or bond; 0: none
	masterAs  string // IFLA_INFO_SLAVE_KIND: as port of what
	mac       []byte
	mtu       int
	up        bool
	linkMode  uint8
	operState uint8
	altNames  bool
	raw       []byte // the whole message, for identity.go
}

// fixedAttributes are what is fixed when a macsec device is made.
type fixedAttributes struct {
	sci     secy.SCI
	suite   secy.CipherSuite
	icvLen  uint8
	offload Offload // changes in rare cases
}

// differs names what a device has otherwise than wanted.
func (f fixedAttributes) differs(want fixedAttributes) string {
	switch {
	case f.sci != want.sci:
		return "its SCI " + want.sci.String()
	case f.suite != want.suite:
		return "its cipher suite " + want.suite.String()
	case f.icvLen != want.icvLen:
		return "its ICV length"
	case f.offload != want.offload:
		return "its offload to " + want.offload.String()
	}
	return ""
}

const linkHeaderLen = unix.SizeofIfInfomsg

// appendLinkHeader appends a struct ifinfomsg. change says which of the flags count.
func appendLinkHeader(b []byte, index int, flags, change uint32) []byte {
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = native.AppendUint32(b, uint32(index))
	b = native.AppendUint32(b, flags)
	return native.AppendUint32(b, change)
}

// parseLink reads an RTM_NEWLINK.
func parseLink(b []byte) (linkInfo, error) {
	if len(b) < linkHeaderLen {
		return linkInfo{}, errShort("link", b)
	}
	l := linkInfo{
		index: int(int32(native.Uint32(b[4:]))),
		up:    native.Uint32(b[8:])&unix.IFF_UP != 0,
		raw:   b,
	}
	for a := range attributes(b[linkHeaderLen:]) {
		switch a.kind {
		case unix.IFLA_IFNAME:
			l.name = a.text()
		case unix.IFLA_LINK:
			l.lower = int(int32(a.uint32()))
		case unix.IFLA_LINK_NETNSID:
			l.lowerNS = true
		case unix.IFLA_MASTER:
			l.master = int(int32(a.uint32()))
		case unix.IFLA_ADDRESS:
			l.mac = a.value
		case unix.IFLA_MTU:
			l.mtu = int(a.uint32())
		case unix.IFLA_LINKMODE:
			l.linkMode = a.uint8()
		case unix.IFLA_OPERSTATE:
			l.operState = a.uint8()
		case unix.IFLA_PROP_LIST:
			l.altNames = true
		case unix.IFLA_LINKINFO:
			l.parseInfo(a.value)
		}
	}
	return l, nil
}

func (l *linkInfo) parseInfo(b []byte) {
	for a := range attributes(b) {
		switch a.kind {
		case unix.IFLA_INFO_KIND:
			l.kind = a.text()
		case unix.IFLA_INFO_SLAVE_KIND:
			l.masterAs = a.text()
		}
	}
}

// canonical is a suite by its right identifier: the kernel reports GCM-AES-128 by the misprint, though the right one was
// set.
func canonical(c secy.CipherSuite) secy.CipherSuite {
	if c == secy.GCMAES128Alias {
		return secy.GCMAES128
	}
	return c
}

// makeLink is the request for a macsec device: what is fixed for its life, and what the device has in common with any
// other. It begins closed: protecting, validating strictly, dormant and down. The SCI is sent in every frame at first,
// because the kernel refuses an explicit SCI together with frames that do not carry it; changeSettings says otherwise.
func makeLink(index int, name string, common []byte, lower int, fixed fixedAttributes) request {
	b := appendLinkHeader(nil, index, 0, 0)
	b = appendString(b, unix.IFLA_IFNAME, name)
	b = appendUint32(b, unix.IFLA_LINK, uint32(lower))
	b = appendUint8(b, unix.IFLA_LINKMODE, linkModeDormant)
	b = append(b, common...)
	b = appendMACsec(b, func(b []byte) []byte {
		b = appendAttribute(b, linkSCI, appendSCI(nil, fixed.sci))
		b = appendUint64(b, linkCipherSuite, uint64(fixed.suite))
		b = appendUint8(b, linkICVLen, fixed.icvLen)
		if fixed.offload != OffloadOff {
			b = appendUint8(b, linkOffload, uint8(fixed.offload))
		}
		return b
	})
	return request{unix.NETLINK_ROUTE, unix.RTM_NEWLINK, unix.NLM_F_CREATE | unix.NLM_F_EXCL, b}
}

// changeSettings is the request that sets all that OpConfigure can set of a device as it stands. The window goes with
// replay protection: the kernel wants both in one message.
func changeSettings(index int, s controls) request {
	return changeMACsec(index, func(b []byte) []byte {
		b = appendBool(b, linkProtect, s.protect)
		b = appendUint8(b, linkValidation, s.validation)
		b = appendBool(b, linkEncrypt, s.encrypt)
		b = appendBool(b, linkIncludeSCI, s.includeSCI)
		b = appendBool(b, linkEndStation, s.endStation)
		b = appendUint32(b, linkWindow, s.window)
		return appendBool(b, linkReplayProtect, s.replay)
	})
}

// changeEncodingSA is the request that sends with an AN from the next frame on.
func changeEncodingSA(index int, an secy.AN) request {
	return changeMACsec(index, func(b []byte) []byte { return appendUint8(b, linkEncodingSA, uint8(an)) })
}

func changeMACsec(index int, fill func([]byte) []byte) request {
	b := appendLinkHeader(nil, index, 0, 0)
	return request{unix.NETLINK_ROUTE, unix.RTM_NEWLINK, 0, appendMACsec(b, fill)}
}

// appendMACsec appends the link information of kind macsec.
func appendMACsec(b []byte, fill func([]byte) []byte) []byte {
	return appendNest(b, unix.IFLA_LINKINFO, func(b []byte) []byte {
		b = appendString(b, unix.IFLA_INFO_KIND, linkKind)
		return appendNest(b, unix.IFLA_INFO_DATA, fill)
	})
}

// changeLink is the request that sets attributes of any device.
func changeLink(index int, fill func([]byte) []byte) request {
	return request{unix.NETLINK_ROUTE, unix.RTM_NEWLINK, 0, fill(appendLinkHeader(nil, index, 0, 0))}
}

// setUp is the request that brings a device up or takes it down.
func setUp(index int, up bool) request {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	return request{unix.NETLINK_ROUTE, unix.RTM_NEWLINK, 0, appendLinkHeader(nil, index, flags, unix.IFF_UP)}
}

// setLinkMode and setOperState are two requests because one message would do them in the wrong order; and both are
// needed, for the mode counts only when the carrier comes.
func setLinkMode(index int, mode uint8) request {
	return changeLink(index, func(b []byte) []byte { return appendUint8(b, unix.IFLA_LINKMODE, mode) })
}

func setOperState(index int, state uint8) request {
	return changeLink(index, func(b []byte) []byte { return appendUint8(b, unix.IFLA_OPERSTATE, state) })
}

// removeLink is the request that deletes a device.
func removeLink(index int) request {
	return request{unix.NETLINK_ROUTE, unix.RTM_DELLINK, 0, appendLinkHeader(nil, index, 0, 0)}
}

// getLink is the request for one device by its name or, with an empty name, its index.
func getLink(index int, name string) request {
	b := appendLinkHeader(nil, index, 0, 0)
	if name != "" {
		b = appendString(b, unix.IFLA_IFNAME, name)
	}
	return request{unix.NETLINK_ROUTE, unix.RTM_GETLINK, 0, b}
}

// controls are what OpConfigure can set of a macsec device, in the kernel's words.
type controls struct {
	protect    bool
	validation uint8
	replay     bool
	window     uint32 // 0 without replay: the kernel then does not report it
	encrypt    bool
	includeSCI bool
	endStation bool
}

// The kernel's codes of validateFrames.
const (
	validationDisabled = 0
	validationCheck    = 1
	validationStrict   = 2
)

// controlsOf puts settings into the kernel's words. Without an explicit SCI the ES bit lets the receiver find it, where
// it is that of an end station (9.5).
func controlsOf(s secy.Settings, sci secy.SCI) controls {
	c := controls{
		protect:    s.ProtectFrames,
		validation: validationStrict,
		replay:     s.ReplayProtect,
		encrypt:    s.Offset != secy.IntegrityOnly,
		includeSCI: s.SendSCI,
		endStation: !s.SendSCI && sci.Port() == 1,
	}
	switch s.ValidateFrames {
	case secy.ValidateDisabled:
		c.validation = validationDisabled
	case secy.ValidateCheck:
		c.validation = validationCheck
	}
	if s.ReplayProtect {
		c.window = s.ReplayWindow
	}
	return c
}

// closed are the same controls on a Controlled Port that is not enabled: nothing leaves or enters in clear.
func (c controls) closed() controls {
	c.protect, c.validation = true, validationStrict
	return c
}

// String prints the controls by the names of ip-macsec(8).
func (c controls) String() string {
	return fmt.Sprintf("protect=%t validate=%d replay=%t window=%d encrypt=%t send_sci=%t end_station=%t",
		c.protect, c.validation, c.replay, c.window, c.encrypt, c.includeSCI, c.endStation)
}
