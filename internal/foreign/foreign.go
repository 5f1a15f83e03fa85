// Package foreign reads how other programs secure a link by MACsec, and says it in mkad's words: the configuration of
// wpa_supplicant, a keyfile of NetworkManager, and what iproute2 prints of the kernel's macsec devices.
//
//	ports, err := foreign.Read(text)
//	config := foreign.Config(ports)         // mkad.toml
//	key := ports[0].KeyFile()               // the text of its CAK file; the caller clears it
//
// Keys stay octets: they are never made strings, which nobody can wipe.
package foreign

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A Port is a link as another program has it.
type Port struct {
	Interface  string   // the lower device; "" when the text does not name it
	Controlled string   // the macsec device; "" when the text does not name it
	Settings   []string // lines of [[port]] that differ from the default
	Notes      []string // what has no counterpart, for people
	CKN, CAK   []byte   // hexadecimal digits, within the text that was read; nil when there is no CAK

	ckn, cak entry // where they stand
}

// An entry is a name in a text.
type entry struct {
	line int // from 1
	name string
}

// A KeyError says what is wrong with a CKN or CAK, and where. It holds nothing of a key.
type KeyError struct {
	Line   int // from 1
	Name   string
	What   string // a predicate of it
	Advice string // what to do
}

// Error says where it stands, and what is wrong.
func (e *KeyError) Error() string { return fmt.Sprintf("line %d: %s %s", e.Line, e.Name, e.What) }

// Remedy is what to do.
func (e *KeyError) Remedy() string { return e.Advice }

// Read finds the ports in a text. Its errors hold nothing of a key.
func Read(text []byte) ([]Port, error) {
	switch {
	case bytes.Contains(text, []byte("network={")), bytes.Contains(text, []byte("network = {")):
		return readSupplicant(text)
	case bytes.Contains(text, []byte("[connection]")):
		return readNetworkManager(text)
	case devices.Match(text):
		return readDevices(text)
	}
	return nil, errors.New("it is neither a wpa_supplicant.conf, nor a NetworkManager keyfile, nor what \"ip -details link\" or " +
		"\"ip macsec show\" prints")
}

// KeyFile is the text of a CAK file with the port's key; nil when it has none.
func (p Port) KeyFile() []byte {
	if p.CAK == nil {
		return nil
	}
	const head = "# A CAK file of mkad, from another program's configuration: mode 0600, and secret.\n[[key]]\n"
	text := make([]byte, 0, len(head)+len(p.CKN)+len(p.CAK)+32) // all the room at once, so that no copy is left
	text = append(text, head...)
	for _, line := range [...]struct {
		name  string
		value []byte
	}{{"ckn", p.CKN}, {"cak", p.CAK}} {
		text = append(append(append(text, line.name+` = "`...), line.value...), "\"\n"...)
	}
	return text
}

// Config is the text of a configuration with the ports, whose CAK files are at the paths given.
func Config(ports []Port, keys []string) string {
	var b strings.Builder
	b.WriteString("# Made by mkactl import. Everything that is not written has its default: man mkad.toml\n")
	for i, p := range ports {
		fmt.Fprintf(&b, "\n[[port]]\ninterface = %q\ncontrolled = %q\nkeys = %q\n", p.Interface, p.Controlled, keys[i])
		for _, s := range p.Settings {
			b.WriteString(s + "\n")
		}
	}
	return b.String()
}

// pair splits a line name=value, without white space and quotes around the value. The value lies within the line.
func pair(line []byte) (name string, value []byte, ok bool) {
	before, after, ok := bytes.Cut(bytes.TrimSpace(line), []byte("="))
	if !ok || bytes.HasPrefix(before, []byte("#")) {
		return "", nil, false
	}
	return string(bytes.TrimSpace(before)), bytes.Trim(bytes.TrimSpace(after), `"`), true
}

// A setting has, by the name that another program gives them, what becomes of values: of numbers and words, never of keys.
type setting map[string]func(p *Port, value string)

func writes(line string) func(*Port, string) {
	return func(p *Port, _ string) { p.Settings = append(p.Settings, line) }
}

// number writes a value that has to be one of digits.
func number(key string) func(*Port, string) {
	return func(p *Port, value string) {
		if digits.MatchString(value) {
			p.Settings = append(p.Settings, key+" = "+value)
		}
	}
}

var digits = regexp.MustCompile(`^[0-9]{1,10}$`)

// when does something for one value only.
func when(is string, do func(*Port, string)) func(*Port, string) {
	return func(p *Port, value string) {
		if value == is {
			do(p, value)
		}
	}
}

func notes(text string) func(*Port, string) {
	return func(p *Port, _ string) { p.Notes = append(p.Notes, text) }
}

// apply uses the settings that are known.
func (s setting) apply(p *Port, name string, value []byte) {
	if do, known := s[name]; known {
		do(p, string(value))
	}
}

// supplicantSettings are those of a network of wpa_supplicant.
var supplicantSettings = setting{
	"macsec_integ_only":    when("1", writes(`confidentiality = "integrity-only"`)),
	"macsec_replay_window": number("replay_window"),
	"macsec_port":          number("port_id"),
	"mka_priority":         number("key_server_priority"),
	"macsec_offload": func(p *Port, value string) {
		if backend, known := map[string]string{"1": "offload-phy", "2": "offload-mac"}[value]; known {
			p.Settings = append(p.Settings, fmt.Sprintf("backend = %q", backend))
		}
	},
}

// readSupplicant reads the networks that have a CAK.
func readSupplicant(text []byte) (ports []Port, err error) {
	var p *Port
	policy, number := "", 0
	for line := range bytes.Lines(text) {
		number++
		squeezed := bytes.ReplaceAll(bytes.TrimSpace(line), []byte(" "), nil)
		switch {
		case bytes.HasPrefix(squeezed, []byte("network={")):
			p, policy = &Port{}, ""
			continue
		case p != nil && bytes.HasPrefix(squeezed, []byte("}")):
			if p.CAK != nil {
				p.notePolicy(policy)
				ports = append(ports, *p)
			}
			p = nil
			continue
		}
		name, value, ok := pair(line)
		switch {
		case p == nil || !ok:
		case name == "mka_cak":
			p.CAK, p.cak = value, entry{number, name}
		case name == "mka_ckn":
			p.CKN, p.ckn = value, entry{number, name}
		case name == "macsec_policy":
			policy = string(value)
		case name == "macsec_replay_protect" && string(value) != "1":
			p.Settings = append(p.Settings, "replay_protect = false")
		default:
			supplicantSettings.apply(p, name, value)
		}
	}
	if len(ports) == 0 {
		return nil, errors.New("no network in it has an mka_cak; keys that come by EAP cannot be taken over")
	}
	return ports, check(ports)
}

// notePolicy warns where wpa_supplicant does MKA only: macsec_policy is then 0, which is its default.
func (p *Port) notePolicy(policy string) {
	switch policy {
	case "":
		policy = "macsec_policy is not set, which is 0"
	case "0":
		policy = "macsec_policy is 0"
	default:
		return
	}
	p.Notes = append(p.Notes, "warning: "+policy+": wpa_supplicant does not use MACsec on this network, and mkad will; until the "+
		`other members of the link do, write policy = "should-secure"`)
}

// networkManagerSettings are those of [macsec].
var networkManagerSettings = setting{
	"encrypt":    when("false", writes(`confidentiality = "integrity-only"`)),
	"send-sci":   when("false", writes("send_sci = false")),
	"port":       number("port_id"),
	"validation": when("0", notes("validation=0 has no counterpart: mkad accepts no frame that it could not validate")),
}

// readNetworkManager reads one connection of type macsec.
func readNetworkManager(text []byte) ([]Port, error) {
	var p Port
	var mode, section string
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if trimmed := bytes.TrimSpace(line); bytes.HasPrefix(trimmed, []byte("[")) {
			section = string(trimmed)
			continue
		}
		name, value, ok := pair(line)
		switch {
		case !ok:
		case section == "[connection]" && name == "interface-name":
			p.Controlled = string(value)
		case section != "[macsec]":
		case name == "parent":
			p.Interface = string(value)
		case name == "mode":
			mode = string(value)
		case name == "mka-cak":
			p.CAK, p.cak = value, entry{number, name}
		case name == "mka-ckn":
			p.CKN, p.ckn = value, entry{number, name}
		default:
			networkManagerSettings.apply(&p, name, value)
		}
	}
	switch {
	case mode == "1":
		return nil, errors.New("the connection takes its keys from EAP (mode=1), which mkad does not")
	case p.CAK == nil:
		return nil, errors.New("the connection has no mka-cak: it is no macsec connection, or its secrets are kept elsewhere")
	}
	return []Port{p}, check([]Port{p})
}

// devices finds the macsec devices in what ip prints: of "ip -details link", 5: macsec0@eth1: … macsec sci … cipher … window 32,
// and of "ip macsec show", 5: macsec0: protect on … window 32.
var devices = regexp.MustCompile(`(?m)^\d+: ([^\s:@]+)(?:@([^\s:]+))?: (?:protect |[^\n]*\n(?:[ \t][^\n]*\n)*?[ \t]+macsec )`)

// deviceWords are settings as ip prints them: a word, and its value.
var deviceWords = setting{
	"encrypt":  when("off", writes(`confidentiality = "integrity-only"`)),
	"send_sci": when("off", writes("send_sci = false")),
	"replay":   when("off", writes("replay_protect = false")),
	"window":   number("replay_window"),
	"cipher": func(p *Port, value string) {
		if suites[value] {
			p.Settings = append(p.Settings, fmt.Sprintf("cipher_suites = [%q]", value))
		}
	},
}

var suites = map[string]bool{"GCM-AES-128": true, "GCM-AES-256": true, "GCM-AES-XPN-128": true, "GCM-AES-XPN-256": true}

// readDevices reads devices that were keyed by hand. Their SAKs are no CAKs: there is none to take over.
func readDevices(text []byte) (ports []Port, err error) {
	found := devices.FindAllSubmatchIndex(text, -1)
	for i, at := range found {
		end := len(text)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		p := Port{Controlled: string(text[at[2]:at[3]])}
		if at[4] >= 0 {
			p.Interface = string(text[at[4]:at[5]])
		}
		words := bytes.Fields(text[at[0]:end])
		for j := 0; j+1 < len(words); j++ {
			name, value := string(words[j]), bytes.TrimSuffix(words[j+1], []byte(","))
			if name == "suite:" { // "ip macsec show" writes: cipher suite: GCM-AES-128,
				name = "cipher"
			}
			if name == "key" {
				break // of an SA; nothing after it is a setting
			}
			deviceWords.apply(&p, name, value)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

var hexadecimal = regexp.MustCompile(`^([0-9A-Fa-f]{2})+$`)

// check wants keys that a CAK file can hold.
func check(ports []Port) error {
	for _, p := range ports {
		switch {
		case p.ckn.line == 0:
			return &KeyError{p.cak.line, p.cak.name, "has no CKN beside it", "write " + strings.Replace(p.cak.name, "cak", "ckn", 1) +
				", the name that the other members of the link have for the key"}
		case !hexadecimal.Match(p.CKN) || len(p.CKN) > 64:
			return &KeyError{p.ckn.line, p.ckn.name, "is not made of 2 to 64 hexadecimal digits, two for each octet",
				"write it so, as the other members of the link have it; the text \"ab\" is 6162"}
		case !hexadecimal.Match(p.CAK) || len(p.CAK) != 32 && len(p.CAK) != 64:
			return &KeyError{p.cak.line, p.cak.name, "is not made of 32 or 64 hexadecimal digits",
				"write all of them, as the other members of the link have it; or make a key for all of them: mkactl keygen"}
		}
	}
	return nil
}
