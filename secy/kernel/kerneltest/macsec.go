package kerneltest

import (
	"encoding/binary"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// The cipher suites; the kernel gives misprint as the name of gcm128.
const (
	misprint = 0x0080020001000001
	gcm128   = 0x0080c20001000001
	gcm256   = 0x0080c20001000002
	xpn128   = 0x0080c20001000003
	xpn256   = 0x0080c20001000004
)

// A SecY is what a macsec device is about.
type SecY struct {
	SCI, Suite                           uint64
	ICVLen, Offload, EncodingSA          byte
	Validation                           byte
	Window                               uint32
	Protect, Replay, Encrypt, IncludeSCI bool
	EndStation                           bool
	Transmit                             [4]*SA
	Receive                              map[uint64]*SC
	// Statistics of the SecY and of the transmit SC, by their attribute numbers.
	Statistics, TransmitStatistics map[uint16]uint64
	// Stubborn: changes are answered as done and not done.
	Stubborn bool

	device *Device
	kernel *Kernel
}

// An SC is a receive SC.
type SC struct {
	SAs        [4]*SA
	Statistics map[uint16]uint64
}

// An SA is an SA, with the key that it was given.
type SA struct {
	AN        byte
	Active    bool
	PN        uint64
	Key, Salt []byte
	KeyID     [16]byte
	SSCI      uint32
}

func (s *SecY) xpn() bool { return s.Suite == xpn128 || s.Suite == xpn256 }

func (s *SecY) keyLen() int {
	if s.Suite == gcm256 || s.Suite == xpn256 {
		return 32
	}
	return 16
}

// Operational reports whether the SecY could send a frame.
func (s *SecY) Operational() bool {
	sa := s.Transmit[s.EncodingSA]
	return sa != nil && sa.Active
}

// createSecY makes the SecY of a new macsec device.
func (k *Kernel) createSecY(d, lower *Device, link, a map[uint16][]byte) error {
	s := &SecY{Suite: gcm128, ICVLen: 16, Validation: 2, Protect: true, IncludeSCI: true, Receive: map[uint64]*SC{},
		device: d, kernel: k}
	switch {
	case k.NoModule:
		return unix.EOPNOTSUPP
	case lower.Master != 0:
		return unix.EBUSY
	case a[1] != nil && a[9] != nil && a[9][0] == 0:
		return unix.EINVAL
	}
	mac := lower.MAC
	if own, ok := link[unix.IFLA_ADDRESS]; ok {
		mac = own
	}
	s.SCI = binary.BigEndian.Uint64(append(slices.Clone(mac), 0, 1))
	if a[1] != nil {
		s.SCI = binary.BigEndian.Uint64(a[1])
	}
	if a[3] != nil {
		s.ICVLen = a[3][0]
	}
	if a[4] != nil {
		s.Suite = native.Uint64(a[4])
	}
	if err := k.checkNew(s, lower, a[15]); err != nil {
		return err
	}
	d.SecY = s
	return s.change(a, true)
}

func (k *Kernel) checkNew(s *SecY, lower *Device, offload []byte) error {
	switch known := s.Suite >= gcm128 && s.Suite <= xpn256; {
	case !known || k.Old && s.xpn():
		return unix.EINVAL
	case k.find(func(d *Device) bool { return d.SecY != nil && d.Lower == lower.Index && d.SecY.SCI == s.SCI }) != nil:
		return unix.EBUSY
	case offload != nil && !k.Old:
		return k.offload(s, offload[0])
	}
	return nil
}

// offload moves a SecY to hardware or from it.
func (k *Kernel) offload(s *SecY, to byte) error {
	taken := 0
	for _, d := range k.devices {
		if d.SecY != nil && d.SecY.Offload != 0 {
			taken++
		}
	}
	switch {
	case to != 0 && (to != 2 || !k.Hardware):
		return unix.EOPNOTSUPP
	case to != 0 && taken >= k.Room:
		return unix.ENOSPC
	}
	s.Offload = to
	return nil
}

// change takes over attributes of IFLA_INFO_DATA, all or none.
func (s *SecY) change(a map[uint16][]byte, fresh bool) error {
	fixed := a[1] != nil || a[2] != nil || a[3] != nil || a[4] != nil
	replays := a[12] != nil && a[12][0] == 1
	switch {
	case fixed && !fresh:
		return unix.EINVAL
	case replays && a[5] == nil:
		return unix.EINVAL
	case s.xpn() && a[5] != nil && native.Uint32(a[5]) >= 1<<30:
		return unix.EINVAL
	case s.Stubborn:
		return nil
	}
	set := func(to *bool, kind uint16) {
		if a[kind] != nil {
			*to = a[kind][0] != 0
		}
	}
	set(&s.Encrypt, 7)
	set(&s.Protect, 8)
	set(&s.IncludeSCI, 9)
	set(&s.EndStation, 10)
	set(&s.Replay, 12)
	if a[5] != nil {
		s.Window = native.Uint32(a[5])
	}
	if a[6] != nil {
		s.EncodingSA = a[6][0]
	}
	if a[13] != nil {
		s.Validation = a[13][0]
	}
	return nil
}

// command obeys a command of the family.
func (k *Kernel) command(code byte, a map[uint16][]byte) error {
	d := k.byIndex(index(a[1]))
	if d == nil || d.SecY == nil {
		return unix.ENODEV
	}
	s, sa := d.SecY, attributes(a[3])
	if code == 10 {
		return s.updateOffload(attributes(a[9])[1])
	}
	if code == 4 || code == 5 || code == 6 {
		return s.commandSA(code-4, &s.Transmit, sa, true)
	}
	raw := attributes(a[2])[1]
	if len(raw) != 8 {
		return unix.EINVAL
	}
	sci := binary.BigEndian.Uint64(raw)
	sc := s.Receive[sci]
	switch {
	case code == 1:
		return s.addReceiveSC(sci)
	case sc == nil:
		return unix.ENODEV
	case code == 2:
		delete(s.Receive, sci)
		return nil
	case code >= 7:
		return s.commandSA(code-7, &sc.SAs, sa, false)
	}
	return nil
}

func (s *SecY) updateOffload(to []byte) error {
	busy := s.device.Up || len(s.Receive) > 0 || s.Transmit != [4]*SA{}
	switch {
	case len(to) != 1:
		return unix.EINVAL
	case busy:
		return unix.EBUSY
	}
	return s.kernel.offload(s, to[0])
}

func (s *SecY) addReceiveSC(sci uint64) error {
	for _, d := range s.kernel.devices {
		if d.SecY != nil && d.Lower == s.device.Lower && d.SecY.Receive[sci] != nil {
			return unix.EEXIST
		}
	}
	s.Receive[sci] = &SC{Statistics: map[uint16]uint64{}}
	return nil
}

// commandSA adds (0), deletes (1) or updates (2) an SA.
func (s *SecY) commandSA(what byte, sas *[4]*SA, a map[uint16][]byte, transmit bool) error {
	if len(a[1]) != 1 || a[1][0] > 3 || a[2] != nil && a[2][0] > 1 || !s.validPN(a[3]) {
		return unix.EINVAL
	}
	sa := &sas[a[1][0]]
	switch {
	case what == 0:
		return s.addSA(sa, a, transmit)
	case *sa == nil:
		return unix.ENODEV
	case what == 1 && (*sa).Active:
		return unix.EBUSY
	case what == 1:
		*sa = nil
	case a[4] != nil || a[5] != nil || a[8] != nil || a[9] != nil:
		return unix.EINVAL
	case !s.Stubborn:
		(*sa).update(a)
	}
	return nil
}

// validPN reports whether a packet number has the length that the suite wants, and is not zero; a missing one is fine.
func (s *SecY) validPN(b []byte) bool {
	switch {
	case b == nil:
		return true
	case s.xpn():
		return len(b) == 8 && native.Uint64(b) != 0
	}
	return len(b) == 4 && native.Uint32(b) != 0
}

func (s *SecY) addSA(to **SA, a map[uint16][]byte, transmit bool) error {
	switch {
	case len(a[4]) != s.keyLen() || len(a[5]) != 16 || transmit && a[3] == nil:
		return unix.EINVAL
	case s.xpn() && (len(a[8]) != 4 || len(a[9]) != 12):
		return unix.EINVAL
	case *to != nil:
		return unix.EBUSY
	case s.kernel.NoCipher:
		return unix.ENOENT
	case s.Stubborn:
		return nil
	}
	sa := &SA{AN: a[1][0], PN: 1, Key: slices.Clone(a[4]), Salt: slices.Clone(a[9]), KeyID: [16]byte(a[5])}
	if s.xpn() {
		sa.SSCI = binary.BigEndian.Uint32(a[8])
	}
	sa.update(a)
	*to = sa
	return nil
}

// update sets what can be set, backwards too.
func (sa *SA) update(a map[uint16][]byte) {
	if a[2] != nil {
		sa.Active = a[2][0] == 1
	}
	switch len(a[3]) {
	case 4:
		sa.PN = uint64(native.Uint32(a[3]))
	case 8:
		sa.PN = native.Uint64(a[3])
	}
}

// dump answers GET_TXSC. A SecY that does not fit ends it, for all that come after it too.
func (k *Kernel) dump() (replies [][]byte) {
	k.Dumps++
	for _, d := range k.devices {
		switch {
		case d.SecY == nil:
		case k.ListLimit > 0 && len(d.SecY.Receive) > k.ListLimit:
			return replies
		default:
			replies = append(replies, d.SecY.message())
		}
	}
	return replies
}

// message is what a dump says of the SecY. Neither keys nor salts are in it.
func (s *SecY) message() []byte {
	b := []byte{0, 1, 0, 0}
	b = append(b, u32(1, uint32(s.device.Index))...)
	b = append(b, nest(9, attribute(1, s.Offload))...)
	b = append(b, nest(4, s.describe()...)...)
	b = append(b, statistics(7, s.TransmitStatistics)...)
	b = append(b, statistics(8, s.Statistics)...)
	b = append(b, nest(5, s.list(&s.Transmit)...)...)
	var channels [][]byte
	for i, sci := range slices.Sorted(maps.Keys(s.Receive)) {
		sc := s.Receive[sci]
		channels = append(channels, nest(uint16(i+1), attribute(2, 1), attribute(1, binary.BigEndian.AppendUint64(nil, sci)...),
			statistics(4, sc.Statistics), nest(3, s.list(&sc.SAs)...)))
	}
	return append(b, nest(6, channels...)...)
}

func (s *SecY) describe() [][]byte {
	suite := s.Suite
	if suite == gcm128 {
		suite = misprint
	}
	all := [][]byte{attribute(1, binary.BigEndian.AppendUint64(nil, s.SCI)...), attribute(2, s.EncodingSA), u64(4, suite),
		attribute(5, s.ICVLen), flag(6, s.Protect), flag(7, s.Replay), flag(8, s.Operational()), attribute(9, s.Validation),
		flag(10, s.Encrypt), flag(11, s.IncludeSCI), flag(12, s.EndStation), flag(13, false)}
	if s.Replay {
		all = append(all, u32(3, s.Window))
	}
	return all
}

// list lists SAs; the types of the entries count them.
func (s *SecY) list(sas *[4]*SA) (all [][]byte) {
	for _, sa := range sas {
		if sa == nil {
			continue
		}
		pn := u32(3, uint32(sa.PN))
		inside := [][]byte{nest(6, u32(1, 7)), attribute(1, sa.AN), nil, attribute(5, sa.KeyID[:]...), flag(2, sa.Active)}
		if s.xpn() {
			pn = u64(3, sa.PN)
			inside = append(inside, attribute(8, binary.BigEndian.AppendUint32(nil, sa.SSCI)...))
		}
		inside[2] = pn
		all = append(all, nest(uint16(len(all)+1), inside...))
	}
	return all
}

func statistics(kind uint16, values map[uint16]uint64) []byte {
	var all [][]byte
	for _, k := range slices.Sorted(maps.Keys(values)) {
		all = append(all, u64(k, values[k]))
	}
	return nest(kind, all...)
}
