package filter

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrUnsupported is the error of Close on a kernel that cannot close a device.
var ErrUnsupported = errors.New("the kernel has no nf_tables netdev egress hook (Linux 5.16, CONFIG_NF_TABLES_NETDEV, " +
	"CONFIG_NETFILTER_INGRESS, CONFIG_NETFILTER_EGRESS): use such a kernel, or set uncontrolled = \"open\" and keep the " +
	"host off the device by other means")

// ErrNoDevice is the error of Close when the device does not exist and the kernel (before 6.16) cannot close one in
// advance.
var ErrNoDevice = errors.New("no such device")

// tablePrefix begins the name of every table that is ours; the name of the device follows.
const tablePrefix = "mkad-"

const (
	ingressChain = "ingress"
	egressChain  = "egress"
)

// transactions lets one of ours at a time to the kernel, which does one after the other anyway: replyTimeout is not to
// run while others are served.
var transactions sync.Mutex

// replyTimeout bounds the wait for the kernel, which answers a rejected batch with fewer messages than were asked for.
const replyTimeout = 2 * time.Second

// Close closes a device, or changes how it is closed. The change is one transaction: from one frame to the next the new
// rules hold in place of the old ones, and never none. When Close returns an error the old state stands, open or closed.
// It is to be called again when another device has taken the name: older kernels forget the chains of a removed one.
func Close(r Rules) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("close %s: %w", r.Interface, err)
	}
	transactions.Lock()
	defer transactions.Unlock()
	err := r.load(false)
	if err != nil { // perhaps for chains of ours that are not as they are made now
		err = r.load(true)
	}
	if err != nil {
		return fmt.Errorf("close %s: %w", r.Interface, explain(err, exists(r.Interface)))
	}
	return nil
}

// load sends the rules. With renew the table is made anew, and for the length of the transaction old and new chains
// both judge every frame; else chains that stand are kept and their rules swapped, so that no frame that both pass is
// dropped.
func (r Rules) load(renew bool) error {
	conn, err := dial()
	if err != nil {
		return err
	}
	table := conn.AddTable(tableOf(r.Interface))
	if renew {
		conn.DelTable(table)
		conn.AddTable(table)
	}
	r.addChain(conn, r.ingress(table), r.ingressRules())
	r.addChain(conn, egress(table, r.Interface), r.egressRules())
	if r.Through != "" {
		r.addThrough(conn)
	} else if err := removeAuxiliary(conn, r.Interface); err != nil {
		return err
	}
	return conn.Flush()
}

func (r Rules) addChain(conn *nftables.Conn, chain *nftables.Chain, rules []rule) {
	conn.AddChain(chain)
	conn.FlushChain(chain)
	for _, rule := range rules {
		conn.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: rule.accept(), UserData: rule.comment()})
	}
}

func tableOf(device string) *nftables.Table {
	return &nftables.Table{Family: nftables.TableFamilyNetdev, Name: tablePrefix + device}
}

// ingress is the first to judge what comes in: a chain or flow table before it could forward frames past it. With Through
// it lets everything in.
func (r Rules) ingress(table *nftables.Table) *nftables.Chain {
	chain := baseChain(table, r.Interface, ingressChain, nftables.ChainHookIngress, nftables.ChainPriorityFirst)
	if r.Through != "" {
		*chain.Policy = nftables.ChainPolicyAccept
	}
	return chain
}

// egress is the last to judge what goes out: no chain after it makes another frame of it.
func egress(table *nftables.Table, device string) *nftables.Chain {
	return baseChain(table, device, egressChain, nftables.ChainHookEgress, nftables.ChainPriorityLast)
}

func baseChain(table *nftables.Table, device, name string, hook *nftables.ChainHook,
	priority *nftables.ChainPriority) *nftables.Chain {
	drop := nftables.ChainPolicyDrop
	return &nftables.Chain{Table: table, Name: name, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: priority,
		Policy: &drop, Device: device}
}

// Open removes what Close has set on the device; nothing to remove is no error.
func Open(device string) error {
	conn, err := dial()
	if err != nil {
		return fmt.Errorf("open %s: %w", device, err)
	}
	conn.DelTable(tableOf(device))
	err = conn.Flush()
	if err == nil || errors.Is(err, unix.ENOENT) {
		if err = removeAuxiliary(conn, device); err == nil {
			err = conn.Flush()
		}
	}
	if err == nil || errors.Is(err, unix.ENOENT) || unsupported(err) {
		return nil
	}
	return fmt.Errorf("open %s: %w", device, explain(err, true))
}

// Closed reports whether what closes the device, in either way, is in force. The device may not exist: from Linux 6.16
// on chains wait for it.
func Closed(device string) (bool, error) {
	closed, err := closedChains()
	for _, family := range families[1:] {
		if err != nil || closed[device] != 1 {
			break
		}
		there, failed := auxiliaryChains(family, device)
		if err = failed; !there {
			closed[device] = 0
		}
	}
	if err != nil {
		return false, fmt.Errorf("look up whether %s is closed: %w", device, err)
	}
	return closed[device] > 0, nil
}

// InForce reports whether the device is closed and all that Close has set for the rules is there still: a device that
// has taken the place of r.Through has no chain.
func InForce(r Rules) (bool, error) {
	closed, err := Closed(r.Interface)
	if err != nil || !closed {
		return false, err
	}
	whole, err := r.whole()
	if err != nil || !whole {
		return false, err
	}
	if whole, err = r.throughWhole(); err != nil {
		return false, fmt.Errorf("look up how %s is closed: %w", r.Interface, err)
	}
	return whole, nil
}

// whole reports whether both chains have their rules, and no others: without them a closed device passes nothing, not
// even EAPOL, and with another it may be open.
func (r Rules) whole() (bool, error) {
	table := tableOf(r.Interface)
	in, err := hasRules(r.ingress(table), r.ingressRules())
	if err != nil || !in {
		return false, err
	}
	return hasRules(egress(table, r.Interface), r.egressRules())
}

// hasRules reports whether a chain has these rules, in this order, and no others. They are known by their comments.
func hasRules(chain *nftables.Chain, want []rule) (bool, error) {
	conn, err := dial()
	if err != nil {
		return false, err
	}
	have, err := conn.GetRules(chain.Table, chain)
	if err != nil {
		return false, fmt.Errorf("list rules of %s: %w", chain.Table.Name, explain(err, true))
	}
	return slices.EqualFunc(have, want, func(h *nftables.Rule, w rule) bool { return bytes.Equal(h.UserData, w.comment()) }), nil
}

// List names the devices on which Close has set something, in the kernel's order.
func List() ([]string, error) {
	conn, err := dial()
	if err != nil {
		return nil, fmt.Errorf("list closed devices: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyNetdev)
	if err != nil && !unsupported(err) {
		return nil, fmt.Errorf("list closed devices: %w", explain(err, true))
	}
	var devices []string
	for _, t := range tables {
		if device, ours := strings.CutPrefix(t.Name, tablePrefix); ours {
			devices = append(devices, device)
		}
	}
	return devices, nil
}

// closedChains counts, by device, the chains of ours that drop what they do not pass: 2, or with Through 1.
func closedChains() (map[string]int, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
	if err != nil && !unsupported(err) {
		return nil, explain(err, true)
	}
	count := map[string]int{}
	for _, c := range chains {
		if device, ours := strings.CutPrefix(c.Table.Name, tablePrefix); ours && closes(c) {
			count[device]++
		}
	}
	return count, nil
}

func closes(c *nftables.Chain) bool {
	return (c.Name == ingressChain || c.Name == egressChain) && c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

// dial makes a connection that opens a socket for each exchange and gives up after replyTimeout.
func dial() (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetDeadline(time.Now().Add(replyTimeout))
	}))
}

// explain adds to an error of the kernel what it means and what to do.
func explain(err error, deviceExists bool) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: CAP_NET_ADMIN is needed", err)
	case errors.Is(err, unix.ENOENT) && !deviceExists:
		return ErrNoDevice
	case unsupported(err), errors.Is(err, unix.ENOENT): // ENOENT: no chain type for the family
		return fmt.Errorf("%w (%v)", ErrUnsupported, err)
	}
	return err
}

// unsupported tells the errors of a kernel that lacks netlink for netfilter, nf_tables, the netdev family or a hook.
func unsupported(err error) bool {
	for _, e := range []error{unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.EAFNOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func exists(device string) bool {
	_, err := net.InterfaceByName(device)
	return err == nil
}
