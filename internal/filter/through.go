package filter

import (
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The kernel's SecY takes plain frames off the lower device after its ingress hook, so a chain there would take them from
// the SecY too. With Rules.Through they are let in, and IP and ARP of the host refuse what came in on the lower device
// itself. What the SecY sends in clear gets its mark at the egress hook of the SecY's device, by which the lower device's
// egress chain knows it.
//
//	          host's IP, ARP ◄── drop what came in on eth1 ─┐
//	macsec0 ◄── SecY ◄──────────────────────────────────────┴── eth1
//	macsec0 ──► mark ──► SecY ──► pass what has the mark ─────► eth1
//
// auxiliary begins the names of the tables for that, in three families; the name of the lower device follows.
const auxiliary = "mkad_"

const (
	markChain  = "mark"
	stackChain = "stack"
)

// families are those of the auxiliary tables.
var families = []nftables.TableFamily{nftables.TableFamilyNetdev, nftables.TableFamilyINet, nftables.TableFamilyARP}

func auxiliaryOf(family nftables.TableFamily, device string) *nftables.Table {
	return &nftables.Table{Family: family, Name: auxiliary + device}
}

// addThrough adds the auxiliary tables, in place of any that there are.
func (r Rules) addThrough(conn *nftables.Conn) {
	for _, family := range families {
		table := conn.AddTable(auxiliaryOf(family, r.Interface))
		conn.DelTable(table) // what there was, or what was just added
		conn.AddTable(table)
		chain, rules := r.auxiliaryChain(table)
		conn.AddChain(chain)
		for _, rule := range rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: rule.tests, UserData: rule.comment()})
		}
	}
}

// auxiliaryChain is the one chain of an auxiliary table, with its rules.
func (r Rules) auxiliaryChain(table *nftables.Table) (*nftables.Chain, []rule) {
	accept := nftables.ChainPolicyAccept
	chain := &nftables.Chain{Table: table, Name: stackChain, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw, Policy: &accept}
	received := []rule{refused(r.Interface)}
	if r.Hold {
		received = append(received, refused(r.Through))
	}
	switch table.Family {
	case nftables.TableFamilyNetdev:
		chain.Name, chain.Hooknum, chain.Device = markChain, nftables.ChainHookEgress, r.Through
		return chain, []rule{r.marking()}
	case nftables.TableFamilyARP:
		chain.Hooknum = nftables.ChainHookRef(0) // NF_ARP_IN
	}
	return chain, received
}

// marking is what becomes of the frames that the SecY's device sends.
func (r Rules) marking() rule {
	if r.Hold {
		return rule{"held frames of the SecY", []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}}
	}
	return rule{"frames of the SecY", setMark(Mark)}
}

// refused drops what a device has received, before IP or ARP sees it.
func refused(device string) rule {
	return rule{"what " + device + " received", append(inputDevice(device), &expr.Verdict{Kind: expr.VerdictDrop})}
}

// removeAuxiliary removes the auxiliary tables of a device that there are.
func removeAuxiliary(conn *nftables.Conn, device string) error {
	for _, family := range families {
		there, err := auxiliaryChains(family, device)
		if err != nil {
			return err
		}
		if there {
			conn.DelTable(auxiliaryOf(family, device))
		}
	}
	return nil
}

// auxiliaryChains reports whether the auxiliary table of a family has its chain.
func auxiliaryChains(family nftables.TableFamily, device string) (bool, error) {
	chain, err := auxiliaryChain(family, device)
	return chain != nil, err
}

// auxiliaryChain finds the chain of an auxiliary table, nil if there is none.
func auxiliaryChain(family nftables.TableFamily, device string) (*nftables.Chain, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	chains, err := conn.ListChainsOfTableFamily(family)
	if err != nil && !unsupported(err) && !errors.Is(err, unix.ENOENT) {
		return nil, explain(err, true)
	}
	for _, c := range chains {
		if c.Table.Name == auxiliary+device && (c.Name == markChain || c.Name == stackChain) {
			return c, nil
		}
	}
	return nil, nil
}

// throughWhole reports whether the auxiliary chains have their rules, and no others; without Through, whether there are
// none.
func (r Rules) throughWhole() (bool, error) {
	for _, family := range families {
		chain, err := auxiliaryChain(family, r.Interface)
		if err != nil || (chain != nil) != (r.Through != "") {
			return false, err
		}
		if chain == nil {
			continue
		}
		_, want := r.auxiliaryChain(auxiliaryOf(family, r.Interface))
		if whole, err := hasRules(chain, want); !whole {
			return false, err
		}
	}
	return true, nil
}

// inputDevice matches what a device of that name has received.
func inputDevice(name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}
