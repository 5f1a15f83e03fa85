package kerneltest

import (
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// The numbers of the generic netlink families.
const (
	controlFamily = 0x10
	firstFamily   = 34
)

// A Kernel is a kernel with the devices of one network namespace. Its fields and what its methods return may be looked
// at and changed between requests, not during them.
type Kernel struct {
	// NoModule: there is no macsec and none can be loaded. Unprivileged: in a user namespace, where links can be made but
	// no SA touched. Old: a kernel before 5.7, without XPN, and without IFLA_MACSEC_OFFLOAD, which it ignores; it does not rename a device that is up.
	// NoCipher: gcm(aes) is missing.
	NoModule, Unprivileged, Old, NoCipher bool
	// Hardware says that lower devices can take SecYs: "mac" only. Room is for how many.
	Hardware bool
	Room     int
	// ListLimit is the number of receive SCs above which a dump ends without the SecY and without an error; 0: none.
	ListLimit int
	// Dumps counts the dumps of all SecYs that were asked for.
	Dumps int

	mu       sync.Mutex
	devices  []*Device
	family   uint16
	next     int // ifindex
	scripts  []script
	requests []string
}

// A script is a failure to come.
type script struct {
	name   string
	errno  unix.Errno
	obeyed bool // the answer is lost, not the request
}

// New makes a kernel that has no device.
func New() *Kernel { return &Kernel{family: firstFamily, next: 2} }

// Fail makes the next request of a name fail, say "ADD_RXSA", "NEWLINK" or "GET_TXSC"; called again, the one after it.
func (k *Kernel) Fail(name string, errno unix.Errno) { k.script(script{name, errno, false}) }

// LoseAnswer makes the next request of a name fail though it was obeyed.
func (k *Kernel) LoseAnswer(name string, errno unix.Errno) { k.script(script{name, errno, true}) }

func (k *Kernel) script(s script) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.scripts = append(k.scripts, s)
}

// ReloadModule takes the macsec module away and loads it again: every macsec device vanishes, the family has another
// number.
func (k *Kernel) ReloadModule() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.family += 3
	for _, d := range slices.Clone(k.devices) {
		if d.SecY != nil {
			k.unregister(d)
		}
	}
}

// Requests returns the names of the requests since it was called last, those that only read left out.
func (k *Kernel) Requests() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.requests
	k.requests = nil
	return r
}

// Exchange is the kernel's side of netlink, as package kernel has it.
func (k *Kernel) Exchange(protocol int, kind, flags uint16, body []byte) ([][]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name, reads := k.name(protocol, kind, body)
	if !reads {
		k.requests = append(k.requests, name)
	}
	i := slices.IndexFunc(k.scripts, func(s script) bool { return s.name == name })
	if i < 0 {
		return k.answer(protocol, kind, flags, body)
	}
	s := k.scripts[i]
	k.scripts = slices.Delete(k.scripts, i, i+1)
	if s.obeyed {
		_, _ = k.answer(protocol, kind, flags, body)
	}
	return nil, s.errno
}

var commandNames = [...]string{"GET_TXSC", "ADD_RXSC", "DEL_RXSC", "UPD_RXSC", "ADD_TXSA", "DEL_TXSA", "UPD_TXSA",
	"ADD_RXSA", "DEL_RXSA", "UPD_RXSA", "UPD_OFFLOAD"}

var linkNames = map[uint16]string{16: "NEWLINK", 17: "DELLINK", 18: "GETLINK", 20: "NEWADDR", 22: "GETADDR", 24: "NEWROUTE",
	26: "GETROUTE"}

// name names a request, and says whether it only reads.
func (k *Kernel) name(protocol int, kind uint16, body []byte) (string, bool) {
	switch {
	case protocol == unix.NETLINK_ROUTE:
		return linkNames[kind], kind&3 == 2
	case kind == controlFamily:
		return "GETFAMILY", true
	case int(body[0]) < len(commandNames):
		return commandNames[body[0]], body[0] == 0
	}
	return "unknown", false
}

func (k *Kernel) answer(protocol int, kind, flags uint16, body []byte) ([][]byte, error) {
	switch {
	case protocol == unix.NETLINK_ROUTE:
		return k.route(kind, flags, body)
	case kind == controlFamily && k.NoModule:
		return nil, unix.ENOENT
	case kind == controlFamily:
		return [][]byte{append([]byte{1, 2, 0, 0}, attribute(1, native.AppendUint16(nil, k.family)...)...)}, nil
	case k.NoModule || kind != k.family:
		return nil, unix.ENOENT
	case body[0] == 0 && flags&unix.NLM_F_DUMP != unix.NLM_F_DUMP:
		return nil, unix.EOPNOTSUPP
	case body[0] == 0:
		return k.dump(), nil
	case k.Unprivileged:
		return nil, unix.EPERM
	}
	return nil, k.command(body[0], attributes(body[4:]))
}
