package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"mkad/secy"
)

// A request is one message to the kernel, without the netlink header's length, sequence number and sender.
type request struct {
	protocol int    // unix.NETLINK_ROUTE or unix.NETLINK_GENERIC
	kind     uint16 // RTM_…; for generic netlink the exchange of a Device puts the family's number there
	flags    uint16 // beside NLM_F_REQUEST
	body     []byte
}

// genericHeaderLen is the length of a struct genlmsghdr.
const genericHeaderLen = 4

// command is a request to the macsec family about the device with an ifindex.
func command(code uint8, index int, fill func([]byte) []byte) request {
	b := []byte{code, familyVersion, 0, 0}
	b = appendUint32(b, attrIfindex, uint32(index))
	return request{protocol: unix.NETLINK_GENERIC, body: fill(b)}
}

// dumpSecYs is the request for all macsec devices of the namespace: there is no filter.
func dumpSecYs() request {
	return request{protocol: unix.NETLINK_GENERIC, flags: unix.NLM_F_DUMP, body: []byte{commandGet, familyVersion, 0, 0}}
}

func addReceiveSC(index int, sci secy.SCI) request {
	return command(commandAddRxSC, index, func(b []byte) []byte { return appendChannel(b, sci) })
}

func delReceiveSC(index int, sci secy.SCI) request {
	return command(commandDelRxSC, index, func(b []byte) []byte { return appendChannel(b, sci) })
}

// appendChannel names a receive SC.
func appendChannel(b []byte, sci secy.SCI) []byte {
	return appendNest(b, attrRxSC, func(b []byte) []byte {
		return appendAttribute(b, rxSCSCI, appendSCI(nil, sci))
	})
}

func appendSCI(b []byte, sci secy.SCI) []byte { return binary.BigEndian.AppendUint64(b, uint64(sci)) }

// addTransmitSA is the request for the transmit SA of an order, not active. It holds the key.
func addTransmitSA(index int, op secy.Op, xpn bool) request {
	return command(commandAddTxSA, index, func(b []byte) []byte { return appendNewSA(b, op, xpn, false) })
}

// addReceiveSA is the request for the receive SA of an order. It holds the key.
func addReceiveSA(index int, op secy.Op, xpn, active bool) request {
	return command(commandAddRxSA, index, func(b []byte) []byte {
		return appendNewSA(appendChannel(b, op.SCI), op, xpn, active)
	})
}

// sensitiveLen is room for a message with a key, so that it is built in one place, which is wiped when it was sent.
const sensitiveLen = 256

// appendNewSA appends the whole of an SA. The packet number is always there: some kernels from 5.7 on fall over an SA
// without.
func appendNewSA(b []byte, op secy.Op, xpn, active bool) []byte {
	b = append(make([]byte, 0, sensitiveLen), b...)
	return appendNest(b, attrSA, func(b []byte) []byte {
		b = appendUint8(b, saAN, uint8(op.AN))
		b = appendBool(b, saActive, active)
		b = appendPN(b, op.PN, xpn)
		b = appendAttribute(b, saKey, op.SAK.Octets())
		b = appendAttribute(b, saKeyID, op.Key[:])
		if xpn {
			b = appendAttribute(b, saSSCI, binary.BigEndian.AppendUint32(nil, uint32(op.SSCI)))
			b = appendAttribute(b, saSalt, op.Salt[:])
		}
		return b
	})
}

func appendPN(b []byte, pn secy.PN, xpn bool) []byte {
	if xpn {
		return appendUint64(b, saPN, uint64(pn))
	}
	return appendUint32(b, saPN, uint32(pn))
}

// activateTransmitSA and activateReceiveSA are the requests that put an SA to use or out of it. They leave its packet
// number alone.
func activateTransmitSA(index int, an secy.AN, active bool) request {
	return command(commandUpdTxSA, index, func(b []byte) []byte { return appendActive(b, an, active) })
}

func activateReceiveSA(index int, sci secy.SCI, an secy.AN, active bool) request {
	return command(commandUpdRxSA, index, func(b []byte) []byte {
		return appendActive(appendChannel(b, sci), an, active)
	})
}

func appendActive(b []byte, an secy.AN, active bool) []byte {
	return appendNest(b, attrSA, func(b []byte) []byte {
		return appendBool(appendUint8(b, saAN, uint8(an)), saActive, active)
	})
}

// raiseReceiveSA is the request that sets the next packet number of a receive SA.
func raiseReceiveSA(index int, sci secy.SCI, an secy.AN, next secy.PN, xpn bool) request {
	return command(commandUpdRxSA, index, func(b []byte) []byte {
		return appendNest(appendChannel(b, sci), attrSA, func(b []byte) []byte {
			return appendPN(appendUint8(b, saAN, uint8(an)), next, xpn)
		})
	})
}

// delTransmitSA and delReceiveSA are the requests that delete an SA, which must not be active.
func delTransmitSA(index int, an secy.AN) request {
	return command(commandDelTxSA, index, func(b []byte) []byte { return appendAN(b, an) })
}

func delReceiveSA(index int, sci secy.SCI, an secy.AN) request {
	return command(commandDelRxSA, index, func(b []byte) []byte { return appendAN(appendChannel(b, sci), an) })
}

func appendAN(b []byte, an secy.AN) []byte {
	return appendNest(b, attrSA, func(b []byte) []byte { return appendUint8(b, saAN, uint8(an)) })
}

// updateOffload is the request that moves a SecY, which must be down and without SAs and receive SCs.
func updateOffload(index int, o Offload) request {
	return command(commandUpdOffload, index, func(b []byte) []byte {
		return appendNest(b, attrOffload, func(b []byte) []byte { return appendUint8(b, offloadType, uint8(o)) })
	})
}
