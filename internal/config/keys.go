package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"sync"
	"syscall"
	"time"

	"mkad/keyderive"
)

const (
	// maxKeyFileSize bounds a CAK file, in octets: MaxKeys with a comment on each need a quarter.
	maxKeyFileSize = 64 << 10
	// MaxKeys bounds the key chain of one port: a key a week for more than a year.
	MaxKeys = 64
)

// A Role says when a key is used.
type Role string

// The roles.
const (
	Primary  Role = "primary"
	Fallback Role = "fallback" // used while no primary key has a live peer
)

// A Key is one entry of a CAK file. Whoever drops it wipes its CAK.
type Key struct {
	CKN   keyderive.CKN // no two keys of a file share one
	CAK   keyderive.CAK
	Start time.Time // use it from then on; zero: always
	End   time.Time // use it until then, later than Start; zero: for ever
	Role  Role

	Line               int // of its [[key]]
	StartLine, EndLine int // of Start and End; 0: not written
}

// LoadKeys reads a CAK file, in the order of the file: at least one key, at most MaxKeys. All problems are returned;
// there are no keys when there is an error among them. No problem shows anything of the file but line numbers.
//
// The file must be a regular one, belong to root, to the user mkad or to the user who runs, and give nobody else any
// permission. The
// octets read from it are wiped before LoadKeys returns.
func LoadKeys(path string) ([]Key, Problems) {
	data, problems := keyRule.readFile(path)
	if problems != nil {
		return nil, problems
	}
	return parseKeys(path, data)
}

// keyRule admits files that only their owner can read.
var keyRule = fileRule{
	max:   maxKeyFileSize,
	check: checkOwnership,
	make:  func(path string) string { return "make one with mkactl keygen -o " + path },
}

func checkOwnership(info fs.FileInfo) (what, remedy string) {
	owner := info.Sys().(*syscall.Stat_t).Uid
	if IsServiceUser(owner) {
		owner = 0
	}
	return ownershipFault(info.Mode(), owner, uint32(os.Geteuid()))
}

// serviceUser is the user that a service unit runs mkad as, to whom its keys belong; root, who checks them, trusts it.
const serviceUser = "mkad"

// IsServiceUser reports whether that is the user of the service.
func IsServiceUser(uid uint32) bool {
	u, err := user.Lookup(serviceUser)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}

// ownershipFault says why a file with that mode and owner cannot keep a key, "" when it can.
func ownershipFault(mode fs.FileMode, owner, user uint32) (what, remedy string) {
	switch {
	case mode.Perm()&0o077 != 0:
		return fmt.Sprintf("has mode %04o, which lets others than its owner at the keys", mode.Perm()),
			"chmod 0600 it, and replace the keys if anybody may have read them"
	case owner != 0 && owner != user:
		return fmt.Sprintf("belongs to user %d, who could change the keys", owner),
			"chown it to root, and replace the keys if they are not your own"
	}
	return "", ""
}

// parseKeys is LoadKeys for octets that have been read from file. It wipes all of their memory.
func parseKeys(file string, data []byte) ([]Key, Problems) {
	defer clear(data[:cap(data)])
	if problems := checkText(file, data); problems != nil {
		return nil, problems
	}
	f := &keyFile{report: report{file: file}}
	f.parse(trimBOM(data))
	return f.finish()
}

// finish hands out the keys of a file that has been parsed, or wipes them when it has an error.
func (f *keyFile) finish() ([]Key, Problems) {
	f.checkKeys()
	problems := f.problems.sorted()
	if problems.Errors() != nil {
		f.wipe()
		return nil, problems
	}
	return f.keys(), problems
}

// checkKeys holds the entries against the rules and against each other.
func (f *keyFile) checkKeys() {
	if len(f.entries) == 0 && f.problems == nil {
		f.fail(1, "", "has no key", "write [[key]] with ckn and cak, or make a file with mkactl keygen")
	}
	named := make(map[keyderive.CKN]*entry)
	for _, e := range f.entries {
		if e.stray {
			continue
		}
		f.checkComplete(e)
		f.checkWeak(e)
		f.checkLifetime(e)
		if first, taken := named[e.CKN]; taken {
			f.fail(e.lineOf("ckn"), "ckn", fmt.Sprintf("is that of line %d too", first.lineOf("ckn")),
				"give each key a CKN of its own")
		} else if !e.CKN.IsZero() {
			named[e.CKN] = e
		}
	}
}

func (f *keyFile) checkComplete(e *entry) {
	if _, written := e.lines["ckn"]; !written {
		f.fail(e.Line, "ckn", "is missing", "write ckn with 2 to 64 hexadecimal digits")
	}
	if _, written := e.lines["cak"]; !written {
		f.fail(e.Line, "cak", "is missing",
			"write cak with 32 or 64 hexadecimal digits, or make a file with mkactl keygen")
	}
}

func (f *keyFile) checkLifetime(e *entry) {
	if !e.Start.IsZero() && !e.End.IsZero() && !e.End.After(e.Start) {
		f.fail(e.lineOf("end"), "end", fmt.Sprintf("is not later than the start in line %d", e.lineOf("start")),
			"write a later end, or leave one of the two out")
	}
}

// checkWeak warns of keys that anybody can guess.
func (f *keyFile) checkWeak(e *entry) {
	const remedy = "make a key with mkactl keygen"
	switch {
	case e.CAK.Uniform():
		f.warn(e.lineOf("cak"), "cak", "is one octet over and over", remedy)
	case published(e.CAK):
		f.warn(e.lineOf("cak"), "cak", "stands in public documents", remedy)
	}
}

// published reports whether everybody knows the key.
func published(k keyderive.CAK) bool {
	for _, known := range publishedCAKs() {
		if k.Equal(known) {
			return true
		}
	}
	return false
}

// publishedCAKs are keys of manuals, standards, test suites and this project's own tests.
var publishedCAKs = sync.OnceValue(func() (keys []keyderive.CAK) {
	for _, digits := range [...]string{
		// Counting, by octets and by digits.
		"000102030405060708090a0b0c0d0e0f",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		"00112233445566778899aabbccddeeff",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		// Annex G of 802.1X-2020.
		"135bd758b0ee5c11c55ff6ab19fdb199",
		"a29efdb63d6fba73c65daab2295340a837a8886e94a905b5c9c7ef1d9dbb297e",
		"1ab9024fa04a03feb9024fa04a03fe11",
		"3946ec36f59017f1267e914abed2dbf6633f52ae7e20309d3eefdda4073adfad",
		// Derived from a counting MSK in this project's vectors.
		"e16dfc6544770cb29164d22946f5749a",
		"27cd41f0397718c10ab4a903bddca0188029b2dde051f55bc7ff273c12df5b1f",
	} {
		octets, _ := decodeHex(make([]byte, 0, len(digits)/2), []byte(digits))
		key, err := keyderive.NewCAK(octets)
		if err != nil {
			panic("config: a published CAK is malformed: " + err.Error())
		}
		keys = append(keys, key)
	}
	return keys
})

// decodeHex appends the octets that pairs of hexadecimal digits stand for. Encoding/hex would do it too, but its errors
// quote a digit.
func decodeHex(dst, digits []byte) ([]byte, bool) {
	if len(digits)%2 != 0 {
		return dst, false
	}
	for ; len(digits) > 0; digits = digits[2:] {
		if !isHex(digits[0]) || !isHex(digits[1]) {
			return dst, false
		}
		dst = append(dst, nibble(digits[0])<<4|nibble(digits[1]))
	}
	return dst, true
}

func isHex(c byte) bool { return bytes.IndexByte([]byte("0123456789abcdefABCDEF"), c) >= 0 }

// nibble is the value of a hexadecimal digit: bit 6 marks the letters, whose lower half begins at 1.
func nibble(c byte) byte { return c&0x0f + c>>6*9 }
