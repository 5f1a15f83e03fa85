package optiontest

import (
	"bytes"
	"encoding/binary"
	"net"
)

// A channel is how the east sends.
type channel uint8

const (
	clear  channel = iota // by its lower device
	bySecY                // by its Controlled Port
	numChannels
)

// A token marks a frame: who has sent it, where to, and in which round. It survives in what it is quoted by: the answer to a
// ping has that of the request. For other answers one is made.
type token struct {
	port     uint8
	round    uint16
	fromWest bool
	from     place   // of the west
	to       place   // of the west: the device whose address it goes to
	by       channel // of the east
	protocol protocol
}

const tokenMark = "optiontest"

const tokenLen = len(tokenMark) + 8

func (k token) append(b []byte) []byte {
	west := byte(0)
	if k.fromWest {
		west = 1
	}
	b = append(b, tokenMark...)
	b = append(b, k.port, west, byte(k.from), byte(k.to), byte(k.by), byte(k.protocol))
	return binary.BigEndian.AppendUint16(b, k.round)
}

// findToken looks for a token in a frame.
func findToken(frame []byte) (k token, ok bool) {
	i := bytes.Index(frame, []byte(tokenMark))
	if i < 0 || len(frame) < i+tokenLen {
		return token{}, false
	}
	b := frame[i+len(tokenMark):]
	return token{port: b[0], fromWest: b[1] == 1, from: place(b[2]), to: place(b[3]), by: channel(b[4]),
		protocol: protocol(b[5]), round: binary.BigEndian.Uint16(b[6:])}, true
}

// EtherTypes, and where things are in a frame.
const (
	typeIPv4, typeARP, typeIPv6 = 0x0800, 0x0806, 0x86dd
	typeLLDP, typeSlow          = 0x88cc, 0x8809

	atType, atPayload = 12, 14
	ipv6Len           = 40
)

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	groups    = map[protocol]net.HardwareAddr{ // 802.1AB-2016 Table 7-1, 802.1Q-2018 Table 8-1, 802.1AX-2014 5.2.3
		lldp: {0x01, 0x80, 0xc2, 0, 0, 0x0e}, stp: {0x01, 0x80, 0xc2, 0, 0, 0}, lacp: {0x01, 0x80, 0xc2, 0, 0, 0x02}}
)

func ethernet(to, from net.HardwareAddr, typeOrLength uint16) []byte {
	b := append(append([]byte{}, to...), from...)
	return binary.BigEndian.AppendUint16(b, typeOrLength)
}

// linkFrame is a frame of LLDP, STP or LACP with the token as its content.
func linkFrame(k token, from net.HardwareAddr) []byte {
	to := groups[k.protocol]
	switch k.protocol {
	case lldp:
		return k.append(ethernet(to, from, typeLLDP))
	case lacp:
		return k.append(append(ethernet(to, from, typeSlow), 1)) // subtype LACP
	}
	b := ethernet(to, from, uint16(3+tokenLen))
	return k.append(append(b, 0x42, 0x42, 0x03)) // LLC of a BPDU
}

// arpFrame asks who has an address, or with it its own tells of it; the token lies in the padding.
func arpFrame(k token, from net.HardwareAddr, sender, target net.IP) []byte {
	b := ethernet(broadcast, from, typeARP)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, lengths of addresses, request
	b = append(append(b, from...), sender.To4()...)
	b = append(append(b, 0, 0, 0, 0, 0, 0), target.To4()...)
	return k.append(b)
}

// arpAnswer takes the addresses of an ARP reply.
func arpAnswer(frame []byte) (sender, target net.IP, ok bool) {
	const reply = 2
	if len(frame) < atPayload+28 || binary.BigEndian.Uint16(frame[atType:]) != typeARP || frame[atPayload+7] != reply {
		return nil, nil, false
	}
	return net.IP(frame[atPayload+14:][:4]), net.IP(frame[atPayload+24:][:4]), true
}

// Types of ICMPv6 messages (RFC 4443, RFC 4861).
const (
	echoRequest               = 128
	solicitation, advertising = 135, 136
)

// solicit asks for the link-layer address of an IPv6 address.
func solicit(k token, from net.HardwareAddr, sender, target net.IP) []byte {
	group := append(net.ParseIP("ff02::1:ff00:0")[:13], target[13:]...)
	body := append([]byte{solicitation, 0, 0, 0, 0, 0, 0, 0}, target...)
	body = append(append(body, 1, 1), from...) // source link-layer address
	body = append(body, 253, 3)                // an option for experiments, of 24 octets
	body = append(k.append(body), make([]byte, 22-tokenLen)...)
	return icmp6(multicastMAC(group), from, sender, group, body)
}

// advertise tells everybody of an IPv6 address.
func advertise(k token, from net.HardwareAddr, own net.IP) []byte {
	all := net.ParseIP("ff02::1")
	body := append([]byte{advertising, 0, 0, 0, 0x20, 0, 0, 0}, own...)
	return icmp6(multicastMAC(all), from, own, all, k.append(body))
}

func multicastMAC(ip net.IP) net.HardwareAddr {
	return append(net.HardwareAddr{0x33, 0x33}, ip[12:]...)
}

// echo is a ping.
func echo(k token, to, from net.HardwareAddr, sender, target net.IP) []byte {
	return icmp6(to, from, sender, target, k.append([]byte{echoRequest, 0, 0, 0, 0, 1, 0, 1}))
}

// datagram is a UDP datagram to the port at which a probe listens.
func datagram(k token, to, from net.HardwareAddr, sender, target net.IP) []byte {
	const header = 8
	return ipv6(17, 6, to, from, sender, target,
		k.append([]byte{0, probePort, 0, probePort, 0, byte(header + tokenLen), 0, 0}))
}

// probePort is the UDP port at which a probe listens.
const probePort = 9

// icmp6 makes a frame of an ICMPv6 message.
func icmp6(to, from net.HardwareAddr, sender, target net.IP, message []byte) []byte {
	return ipv6(58, 2, to, from, sender, target, message)
}

// ipv6 makes a frame of an IPv6 packet and fills its checksum in, which lies at sumAt in the payload.
func ipv6(next byte, sumAt int, to, from net.HardwareAddr, sender, target net.IP, payload []byte) []byte {
	const hopLimit = 255
	b := ethernet(to, from, typeIPv6)
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, next, hopLimit)
	b = append(append(b, sender...), target...)
	sum := uint32(len(payload)) + uint32(next)
	for _, part := range [][]byte{sender, target, payload} {
		sum += words(part)
	}
	binary.BigEndian.PutUint16(payload[sumAt:], folded(sum))
	return append(b, payload...)
}

// words adds up the 16-bit words of b, and folded makes the Internet checksum of their sum (RFC 1071).
func words(b []byte) (sum uint32) {
	for i, octet := range b {
		sum += uint32(octet) << (8 * (1 - i%2))
	}
	return sum
}

func folded(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// ndAnswer takes the addresses of a neighbor advertisement: whose it is, and whom it tells.
func ndAnswer(frame []byte) (own, told net.IP, ok bool) {
	const at = atPayload + ipv6Len
	if len(frame) < at+24 || binary.BigEndian.Uint16(frame[atType:]) != typeIPv6 || frame[at] != advertising {
		return nil, nil, false
	}
	return net.IP(frame[at+8:][:16]), net.IP(frame[atPayload+24:][:16]), true
}

// discover is a broadcast of a DHCP client that has no address yet, with the token in place of its message.
func discover(k token, from net.HardwareAddr) []byte {
	payload := k.append(nil)
	b := ethernet(broadcast, from, typeIPv4)
	header := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255}
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+8+len(payload)))
	binary.BigEndian.PutUint16(header[10:], folded(words(header)))
	b = append(b, header...)
	b = append(b, 0, dhcpClient, 0, dhcpServer, 0, byte(8+len(payload)), 0, 0)
	return append(b, payload...)
}

// The UDP ports of DHCP.
const dhcpClient, dhcpServer = 68, 67
