package filter

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBadRulesAreRefused(t *testing.T) {
	for name, r := range map[string]Rules{
		"no device":            {},
		"long name":            {Interface: "abcdefghijklmnop"},
		"slash in name":        {Interface: "eth/1"},
		"space in name":        {Interface: "eth 1"},
		"length for EtherType": {Interface: "eth1", EAPOL: EAPOL{EtherType: 0x05dc}},
		"too many received":    {Interface: "eth1", EAPOL: EAPOL{In: make([][6]byte, MaxDestinations+1)}},
		"too many sent":        {Interface: "eth1", EAPOL: EAPOL{Out: make([][6]byte, MaxDestinations+1)}},
		"zero bypass":          {Interface: "eth1", Bypass: []Bypass{0}},
		"unknown bypass":       {Interface: "eth1", Bypass: []Bypass{BypassLACP + 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.check(); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestKernelErrorsAreExplained(t *testing.T) {
	for _, c := range []struct {
		err          error
		deviceExists bool
		want         error
		says         string
	}{
		{unix.EPROTONOSUPPORT, true, ErrUnsupported, `uncontrolled = "open"`},
		{unix.EOPNOTSUPP, true, ErrUnsupported, `uncontrolled = "open"`},
		{unix.EAFNOSUPPORT, true, ErrUnsupported, `uncontrolled = "open"`},
		{errors.Join(unix.EOPNOTSUPP, os.ErrDeadlineExceeded), true, ErrUnsupported, "operation not supported"},
		{unix.ENOENT, true, ErrUnsupported, "CONFIG_NETFILTER_EGRESS"},
		{unix.ENOENT, false, ErrNoDevice, "no such device"},
		{unix.EPERM, true, unix.EPERM, "CAP_NET_ADMIN"},
		{unix.EBUSY, true, unix.EBUSY, "busy"},
	} {
		t.Run(fmt.Sprint(c.err, c.deviceExists), func(t *testing.T) {
			err := explain(c.err, c.deviceExists)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q that says %q", err, c.want, c.says)
			}
		})
	}
}

func TestBypassNamesParseBack(t *testing.T) {
	for b := BypassLLDP; b <= BypassLACP; b++ {
		if got, ok := ParseBypass(b.String()); !ok || got != b {
			t.Errorf("ParseBypass(%q) = %v, %t", b, got, ok)
		}
	}
}

func TestUnknownBypassDoesNotParse(t *testing.T) {
	for _, name := range []string{"", "cdp", "LLDP"} {
		if b, ok := ParseBypass(name); ok {
			t.Errorf("ParseBypass(%q) = %v", name, b)
		}
	}
}
