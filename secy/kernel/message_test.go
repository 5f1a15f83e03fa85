package kernel

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mkad/keyderive"
	"mkad/secy"
)

// unhex reads hexadecimal digits in any grouping, with comments behind a #.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	testSCI = secy.SCI(0x020000000001_0007)
	testKey = secy.KeyID{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0, 0, 0, 1}
)

func testSA(t testing.TB, n int) secy.Op {
	sak, err := keyderive.NewSAK(bytes.Repeat([]byte{0xee}, n))
	if err != nil {
		t.Fatal(err)
	}
	return secy.Op{Key: testKey, AN: 2, SCI: testSCI, SSCI: 0x01020304, PN: 0x0000000500000006,
		Salt: secy.Salt{0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb}, SAK: sak}
}

// The bytes of each request, of a little-endian machine.
func TestRequestsHaveTheKernelsBytes(t *testing.T) {
	if native.Uint16([]byte{1, 0}) != 1 {
		t.Fatal("these vectors are of little-endian machines")
	}
	for name, c := range map[string]struct {
		r     request
		kind  uint16
		flags uint16
		want  string
	}{
		"make device": {makeLink(0, "macsec0", nil, 5, fixedAttributes{testSCI, secy.GCMAESXPN256, 16, OffloadMAC}),
			unix.RTM_NEWLINK, unix.NLM_F_CREATE | unix.NLM_F_EXCL, `
			00 00 0000 00000000 00000000 00000000    # ifinfomsg
			0c00 0300 6d616373656330 00              # IFLA_IFNAME macsec0
			0800 0500 05000000                       # IFLA_LINK
			0500 1100 01 000000                      # IFLA_LINKMODE dormant
			3c00 1200                                # IFLA_LINKINFO
			  0b00 0100 6d6163736563 00 00           #  INFO_KIND macsec
			  2c00 0200                              #  INFO_DATA
			    0c00 0100 0200000000010007           #   SCI, network order
			    0c00 0400 04000001 00c28000          #   CIPHER_SUITE, host order
			    0500 0300 10 000000                  #   ICV_LEN
			    0500 0f00 02 000000                  #   OFFLOAD mac`},
		"settings": {changeSettings(9, controls{true, 2, true, 128, true, true, false}), unix.RTM_NEWLINK, 0, `
			00 00 0000 09000000 00000000 00000000
			4c00 1200
			  0b00 0100 6d6163736563 00 00
			  3c00 0200
			    0500 0800 01 000000                  #   PROTECT
			    0500 0d00 02 000000                  #   VALIDATION strict
			    0500 0700 01 000000                  #   ENCRYPT
			    0500 0900 01 000000                  #   INC_SCI
			    0500 0a00 00 000000                  #   ES
			    0800 0500 80000000                   #   WINDOW, together with
			    0500 0c00 01 000000                  #   REPLAY_PROTECT`},
		"key switch": {changeEncodingSA(9, 3), unix.RTM_NEWLINK, 0, `
			00 00 0000 09000000 00000000 00000000
			1c00 1200 0b00 0100 6d6163736563 00 00 0c00 0200 0500 0600 03 000000`},
		"up":          {setUp(9, true), unix.RTM_NEWLINK, 0, "00000000 09000000 01000000 01000000"},
		"down":        {setUp(9, false), unix.RTM_NEWLINK, 0, "00000000 09000000 00000000 01000000"},
		"dormant":     {setOperState(9, operDormant), unix.RTM_NEWLINK, 0, "00000000 09000000 00000000 00000000 0500 1000 05 000000"},
		"remove":      {removeLink(9), unix.RTM_DELLINK, 0, "00000000 09000000 00000000 00000000"},
		"get":         {getLink(0, "eth1"), unix.RTM_GETLINK, 0, "00000000 00000000 00000000 00000000 0900 0300 65746831 00 000000"},
		"dump":        {dumpSecYs(), 0, unix.NLM_F_DUMP, "00 01 0000"},
		"add RXSC":    {addReceiveSC(9, testSCI), 0, 0, "01 01 0000 0800 0100 09000000 1000 0200 0c00 0100 0200000000010007"},
		"delete RXSC": {delReceiveSC(9, testSCI), 0, 0, "02 01 0000 0800 0100 09000000 1000 0200 0c00 0100 0200000000010007"},
		"add TXSA": {addTransmitSA(9, testSA(t, 16), false), 0, 0, `
			04 01 0000 0800 0100 09000000
			4400 0300                                # SA_CONFIG
			  0500 0100 02 000000                    #  AN
			  0500 0200 00 000000                    #  ACTIVE, not yet
			  0800 0300 06000000                     #  PN, 32 bits
			  1400 0400 eeeeeeee eeeeeeee eeeeeeee eeeeeeee
			  1400 0500 10111213 14151617 18191a1b 00000001`},
		"add XPN RXSA": {addReceiveSA(9, testSA(t, 32), true, true), 0, 0, `
			07 01 0000 0800 0100 09000000
			1000 0200 0c00 0100 0200000000010007     # RXSC_CONFIG
			7000 0300                                # SA_CONFIG
			  0500 0100 02 000000                    #  AN
			  0500 0200 01 000000                    #  ACTIVE
			  0c00 0300 06000000 05000000            #  PN, 64 bits, host order
			  2400 0400 eeeeeeee eeeeeeee eeeeeeee eeeeeeee eeeeeeee eeeeeeee eeeeeeee eeeeeeee
			  1400 0500 10111213 14151617 18191a1b 00000001
			  0800 0800 01020304                     #  SSCI, network order
			  1000 0900 d0d1d2d3 d4d5d6d7 d8d9dadb`},
		"activate TXSA":   {activateTransmitSA(9, 1, true), 0, 0, "06 01 0000 0800 0100 09000000 1400 0300 0500 0100 01 000000 0500 0200 01 000000"},
		"deactivate RXSA": {activateReceiveSA(9, testSCI, 1, false), 0, 0, "09 01 0000 0800 0100 09000000 1000 0200 0c00 0100 0200000000010007 1400 0300 0500 0100 01 000000 0500 0200 00 000000"},
		"raise RXSA":      {raiseReceiveSA(9, testSCI, 1, 0x100, false), 0, 0, "09 01 0000 0800 0100 09000000 1000 0200 0c00 0100 0200000000010007 1400 0300 0500 0100 01 000000 0800 0300 00010000"},
		"delete TXSA":     {delTransmitSA(9, 3), 0, 0, "05 01 0000 0800 0100 09000000 0c00 0300 0500 0100 03 000000"},
		"delete RXSA":     {delReceiveSA(9, testSCI, 3), 0, 0, "08 01 0000 0800 0100 09000000 1000 0200 0c00 0100 0200000000010007 0c00 0300 0500 0100 03 000000"},
		"move to the NIC": {updateOffload(9, OffloadMAC), 0, 0, "0a 01 0000 0800 0100 09000000 0c00 0900 0500 0100 02 000000"},
	} {
		t.Run(name, func(t *testing.T) {
			if want := unhex(t, c.want); !bytes.Equal(c.r.body, want) || c.r.kind != c.kind || c.r.flags != c.flags {
				t.Errorf("kind %d flags %#x\ngot  %x\nwant %x", c.r.kind, c.r.flags, c.r.body, want)
			}
		})
	}
}

// A message of GET_TXSC as Linux 6.12 writes it: no nested flags, list entries that count, the old cipher identifier.
const dumped = `
	00 01 0000
	0800 0100 09000000                           # IFINDEX
	0c00 0900 0500 0100 02 000000                # OFFLOAD mac
	8400 0400                                    # SECY
	  0c00 0100 0200000000010007                 #  SCI
	  0500 0200 01 000000                        #  ENCODING_SA
	  0c00 0400 04000001 00c28000                #  CIPHER_SUITE XPN-256
	  0500 0500 10 000000                        #  ICV_LEN
	  0500 0800 01 000000                        #  OPER
	  0500 0600 01 000000                        #  PROTECT
	  0500 0700 01 000000                        #  REPLAY
	  0500 0900 02 000000                        #  VALIDATE
	  0500 0a00 01 000000                        #  ENCRYPT
	  0500 0b00 01 000000                        #  INC_SCI
	  0500 0c00 00 000000                        #  ES
	  0500 0d00 00 000000                        #  SCB
	  0800 0300 80000000                         #  WINDOW
	  0400 0e00                                  #  PAD
	  0c00 6300 ffffffffffffffff                 #  an attribute of tomorrow
	1000 0700 0c00 0200 0100000000000000         # TXSC_STATS OutPktsEncrypted
	1000 0800 0c00 0400 0200000000000000         # SECY_STATS InPktsNoTag
	4c00 0500                                    # TXSA_LIST
	  4800 0100                                  #  first entry
	    0c00 0600 0800 0700 04000000             #   STATS
	    0500 0100 01 000000                      #   AN
	    0c00 0300 ffffffff 00000000              #   PN
	    1400 0500 10111213 14151617 18191a1b 00000001
	    0800 0800 00000002                       #   SSCI
	    0500 0200 01 000000                      #   ACTIVE
	6400 0680                                    # RXSC_LIST, with the flag of a nest
	  6000 0100
	    0500 0200 01 000000
	    0c00 0100 0200000000020001               #   SCI
	    1000 0400 0c00 0500 0300000000000000     #   STATS InPktsOK
	    3800 0300                                #   SA_LIST
	      3400 0100
	        0500 0100 02 000000
	        0c00 0300 2c010000 00000000
	        1400 0500 10111213 14151617 18191a1b 00000001
	        0500 0200 00 000000`

func TestDumpIsRead(t *testing.T) {
	s, err := parseState(unhex(t, dumped))
	if err != nil {
		t.Fatal(err)
	}
	if s.index != 9 || s.fixed != (fixedAttributes{testSCI, secy.GCMAESXPN256, 16, OffloadMAC}) || s.encodingSA != 1 || !s.operational {
		t.Errorf("state is %+v", s)
	}
	if want := (controls{true, 2, true, 128, true, true, false}); s.controls != want {
		t.Errorf("controls are %v, want %v", s.controls, want)
	}
	if sa := s.transmit[1]; sa == nil || *sa != (securityAssociation{1, testKey, 2, 1<<32 - 1, true}) {
		t.Errorf("transmit SA is %+v", sa)
	}
	rx := s.receiveSA(0x0200000000020001, testKey)
	if rx == nil || *rx != (securityAssociation{2, testKey, 0, 300, false}) || s.lowest(rx) != 172 {
		t.Errorf("receive SA is %+v", rx)
	}
	if c := s.total(); c != (secy.Counters{OutPktsEncrypted: 1, InPktsNoTag: 2, InPktsOK: 3}) {
		t.Errorf("counters are %+v", c)
	}
}

func TestOldIdentifierOfGCMAES128IsTheSameSuite(t *testing.T) {
	s, err := parseState(unhex(t, "00 01 0000 1000 0400 0c00 0400 01000001 00028000"))
	if err != nil || s.fixed.suite != secy.GCMAES128 {
		t.Errorf("suite is %v, %v", s.fixed.suite, err)
	}
}

func TestTruncatedMessagesAreReadAsFarAsTheyGo(t *testing.T) {
	whole := unhex(t, dumped)
	for n := range whole {
		s, err := parseState(whole[:n])
		if (err != nil) != (n < genericHeaderLen) {
			t.Fatalf("%d octets: %v, %v", n, s, err)
		}
	}
}

func TestVerdictIsAnErrnoWithTheKernelsWords(t *testing.T) {
	request := "14000000 1000 0500 01000000 00000000 00000000"
	for name, c := range map[string]struct {
		body  string
		flags uint16
		want  string
	}{
		"done":               {"00000000" + request, 0, ""},
		"nothing":            {"", 0, ""},
		"an error":           {"edffffff" + request, 0, "no such device"},
		"with words":         {"f0ffffff 10000000 1000 0500 01000000 00000000 0a00 0100 74616b656e 00 0000", unix.NLM_F_ACK_TLVS, "device or resource busy (the kernel says: taken)"},
		"capped, with words": {"f0ffffff 00010000 1000 0500 01000000 00000000 0a00 0100 74616b656e 00 0000", unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED, "device or resource busy (the kernel says: taken)"},
		"words cut off":      {"f0ffffff 10000000 1000 0500", unix.NLM_F_ACK_TLVS, "device or resource busy"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := parseVerdict(unhex(t, c.body), c.flags); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	m := memory[int, string]{limit: 2}
	m.put(1, "a")
	m.put(2, "b")
	m.put(1, "c")
	m.put(3, "d")
	_, second := m.get(2)
	if first, ok := m.get(1); !ok || first != "c" || second || len(m.entries) != 2 {
		t.Errorf("memory is %+v", m.entries)
	}
}

// FuzzReplies gives every parser what the kernel would never send. None may panic, and none may find what is not there.
func FuzzReplies(f *testing.F) {
	f.Add(unhex(f, dumped))
	f.Add(unhex(f, "00000000 09000000 01000000 00000000 0900 0300 65746831 00 000000 0600 0100 0102 0000"))
	f.Add(unhex(f, "edffffff 14000000 1000 0500 01000000 00000000 00000000"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseState(b); err == nil {
			for an, sa := range s.transmit {
				if sa != nil && int(sa.an) != an {
					t.Errorf("SA %d stands at %d", sa.an, an)
				}
			}
		}
		if l, err := parseLink(b); err == nil {
			_ = makeVLAN(l)
			_, _ = dress(l)
		}
		for _, flags := range []uint16{0, unix.NLM_F_ACK_TLVS, unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED} {
			_ = parseVerdict(b, flags)
		}
		fuzzIdentity(t, b)
	})
}

// fuzzIdentity has the bytes listed as link, address and route.
func fuzzIdentity(t *testing.T, b []byte) {
	c := &conversation{exchange: func(_ int, kind, _ uint16, _ []byte) ([][]byte, error) {
		if kind == unix.RTM_GETLINK {
			return [][]byte{append(appendLinkHeader(nil, 9, 0, 0), b...), b}, nil
		}
		return [][]byte{bytes.Clone(b)}, nil
	}}
	id, err := c.identify(9)
	if err != nil {
		return
	}
	for _, e := range id.entries {
		if len(e.r.body) != len(b) {
			t.Errorf("%s has %d octets of %d", e.name, len(e.r.body), len(b))
		}
	}
}
