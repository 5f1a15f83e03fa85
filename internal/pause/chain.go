package pause

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What golang.org/x/sys/unix lacks of linux/netfilter/nf_tables.h.
const (
	tableOwned = 2 // NFT_TABLE_F_OWNER: the table goes with the socket that made it; Linux 5.12
	fwdDevice  = 1 // NFTA_FWD_SREG_DEV
)

const (
	chainName = "egress"
	// replyTime bounds the wait for the kernel.
	replyTime = 2 * time.Second
)

// A chain forwards what a device is to send to another device. The message is built here because the library that
// closes devices knows neither fwd nor tables with an owner.
type chain struct {
	conn  *netlink.Conn
	table string
}

// forward sends what is not marked from the device's egress hook to the device with the index, marked.
func forward(device string, to int) (*chain, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open netfilter netlink socket: %w", err)
	}
	c := &chain{conn: conn, table: fmt.Sprintf("mkad_pause_%s", device)}
	batch, err := c.batch(device, to)
	if err == nil {
		err = c.execute(batch)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("forward egress of %s (nf_tables with netdev egress hook and nft_fwd_netdev): %w", device, err)
	}
	return c, nil
}

// close removes the chain, as the kernel does when the owner's socket closes: before Close returns.
func (c *chain) close() { _ = c.conn.Close() }

// execute sends the batch and waits for the answer to its last message, or to the first that fails.
func (c *chain) execute(batch []netlink.Message) error {
	if err := c.conn.SetDeadline(time.Now().Add(replyTime)); err != nil {
		return err
	}
	if _, err := c.conn.SendMessages(batch); err != nil {
		return err
	}
	_, err := c.conn.Receive()
	return err
}

func (c *chain) batch(device string, to int) ([]netlink.Message, error) {
	b := builder{}
	b.add(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	b.order(unix.NFT_MSG_NEWTABLE, netlink.Create, func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_TABLE_NAME, c.table)
		e.Uint32(unix.NFTA_TABLE_FLAGS, tableOwned)
	})
	b.order(unix.NFT_MSG_NEWCHAIN, netlink.Create, func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_CHAIN_TABLE, c.table)
		e.String(unix.NFTA_CHAIN_NAME, chainName)
		e.String(unix.NFTA_CHAIN_TYPE, "filter")
		e.Nested(unix.NFTA_CHAIN_HOOK, func(e *netlink.AttributeEncoder) error {
			e.Uint32(unix.NFTA_HOOK_HOOKNUM, unix.NF_NETDEV_EGRESS)
			e.Uint32(unix.NFTA_HOOK_PRIORITY, math.MaxInt32) // after everybody else's chains
			e.String(unix.NFTA_HOOK_DEV, device)
			return nil
		})
	})
	b.order(unix.NFT_MSG_NEWRULE, netlink.Create|netlink.Append|netlink.Acknowledge, func(e *netlink.AttributeEncoder) {
		e.String(unix.NFTA_RULE_TABLE, c.table)
		e.String(unix.NFTA_RULE_CHAIN, chainName)
		e.Nested(unix.NFTA_RULE_EXPRESSIONS, func(e *netlink.AttributeEncoder) error { return expressions(e, to) })
	})
	b.add(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil)
	return b.messages, b.err
}

// expressions are: meta mark != mark; meta mark set mark; fwd to the device.
func expressions(e *netlink.AttributeEncoder, to int) error {
	const register = unix.NFT_REG_1
	expression(e, "meta", func(e *netlink.AttributeEncoder) error {
		e.Uint32(unix.NFTA_META_DREG, register)
		e.Uint32(unix.NFTA_META_KEY, unix.NFT_META_MARK)
		return nil
	})
	expression(e, "cmp", func(e *netlink.AttributeEncoder) error {
		e.Uint32(unix.NFTA_CMP_SREG, register)
		e.Uint32(unix.NFTA_CMP_OP, unix.NFT_CMP_NEQ)
		e.Nested(unix.NFTA_CMP_DATA, value(mark))
		return nil
	})
	immediate(e, register, mark)
	expression(e, "meta", func(e *netlink.AttributeEncoder) error {
		e.Uint32(unix.NFTA_META_KEY, unix.NFT_META_MARK)
		e.Uint32(unix.NFTA_META_SREG, register)
		return nil
	})
	immediate(e, register, uint32(to))
	expression(e, "fwd", func(e *netlink.AttributeEncoder) error {
		e.Uint32(fwdDevice, register)
		return nil
	})
	return nil
}

func expression(e *netlink.AttributeEncoder, name string, data func(*netlink.AttributeEncoder) error) {
	e.Nested(unix.NFTA_LIST_ELEM, func(e *netlink.AttributeEncoder) error {
		e.String(unix.NFTA_EXPR_NAME, name)
		e.Nested(unix.NFTA_EXPR_DATA, data)
		return nil
	})
}

func immediate(e *netlink.AttributeEncoder, register, v uint32) {
	expression(e, "immediate", func(e *netlink.AttributeEncoder) error {
		e.Uint32(unix.NFTA_IMMEDIATE_DREG, register)
		e.Nested(unix.NFTA_IMMEDIATE_DATA, value(v))
		return nil
	})
}

// value is a register's content, which is in the machine's byte order where attributes are in network byte order.
func value(v uint32) func(*netlink.AttributeEncoder) error {
	return func(e *netlink.AttributeEncoder) error {
		e.Bytes(unix.NFTA_DATA_VALUE, binary.NativeEndian.AppendUint32(nil, v))
		return nil
	}
}

// A builder collects the messages of a batch; its first error sticks.
type builder struct {
	messages []netlink.Message
	err      error
}

// order adds a message of nf_tables for the netdev family.
func (b *builder) order(kind int, flags netlink.HeaderFlags, fill func(*netlink.AttributeEncoder)) {
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	fill(e)
	data, err := e.Encode()
	b.err = errors.Join(b.err, err)
	b.add(unix.NFNL_SUBSYS_NFTABLES<<8|kind, flags, unix.NFPROTO_NETDEV, 0, data)
}

// add adds a message with its struct nfgenmsg.
func (b *builder) add(kind int, flags netlink.HeaderFlags, family byte, resource uint16, data []byte) {
	header := binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource)
	b.messages = append(b.messages, netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   append(header, data...),
	})
}
