package foreign_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mkad/internal/config"
	"mkad/internal/foreign"
)

const supplicant = `ctrl_interface=/var/run/wpa_supplicant
eapol_version=3
network={
	ssid="wireless"
	psk="secret words"
}
network={
	key_mgmt=NONE
	macsec_policy=1
	macsec_integ_only=1
	macsec_replay_protect=1
	macsec_replay_window=64
	mka_priority=7
	macsec_port=2
	# mka_cak=00
	mka_cak=77c1b3d50ee94a6f8a2d1c3e5b7f9a0d
	mka_ckn=0a0b
}
`

const networkManager = `[connection]
id=secure
type=macsec
interface-name=macsec3

[macsec]
encrypt=false
mka-cak=77c1b3d50ee94a6f8a2d1c3e5b7f9a0d
mka-ckn=11111111
mode=0
parent=eth7
port=3
send-sci=false
validation=2
`

const ipLink = `2: eth1: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether 52:54:00:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0
5: macsec0@eth1: <BROADCAST,MULTICAST,UP> mtu 1468 qdisc noqueue state UP mode DEFAULT group default qlen 1000
    link/ether 52:54:00:aa:bb:cc brd ff:ff:ff:ff:ff:ff promiscuity 0 allmulti 0 minmtu 0 maxmtu 65535
    macsec sci 525400aabbcc0001 protect on cipher GCM-AES-256 icvlen 16 encodingsa 0 validate strict encrypt off send_sci on end_station off scb off replay on window 32 addrgenmode eui64
`

const ipMacsec = `5: macsec0: protect on validate strict sc off sa off encrypt on send_sci on end_station off scb off replay off 
    cipher suite: GCM-AES-XPN-128, using ICV length 16
    TXSC: 525400aabbcc0001 on SA 0
        0: PN 1, state on, key 01000000000000000000000000000000
    offload: off
`

// Clause: none; design: import.
func TestOtherProgramsAreUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		text, lower, controlled string
		settings                []string
		keyed                   bool
	}{
		"wpa_supplicant": {supplicant, "", "", []string{`confidentiality = "integrity-only"`, "replay_window = 64",
			"key_server_priority = 7", "port_id = 2"}, true},
		"NetworkManager": {networkManager, "eth7", "macsec3", []string{`confidentiality = "integrity-only"`, "port_id = 3",
			"send_sci = false"}, true},
		"ip -details link": {ipLink, "eth1", "macsec0", []string{`cipher_suites = ["GCM-AES-256"]`,
			`confidentiality = "integrity-only"`, "replay_window = 32"}, false},
		"ip macsec show": {ipMacsec, "", "macsec0", []string{"replay_protect = false", `cipher_suites = ["GCM-AES-XPN-128"]`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ports, err := foreign.Read([]byte(c.text))
			if err != nil || len(ports) != 1 {
				t.Fatalf("%d ports, %v", len(ports), err)
			}
			p := ports[0]
			if p.Interface != c.lower || p.Controlled != c.controlled || (p.CAK != nil) != c.keyed ||
				strings.Join(p.Settings, "\n") != strings.Join(c.settings, "\n") {
				t.Errorf("read as %q %q %q, keyed %t", p.Interface, p.Controlled, p.Settings, p.CAK != nil)
			}
			readable(t, p)
		})
	}
}

// readable wants mkad to take what comes of a port, without a word.
func readable(t *testing.T, p foreign.Port) {
	t.Helper()
	p.Interface, p.Controlled = "eth1", "macsec0"
	dir := t.TempDir()
	file, keys := filepath.Join(dir, "mkad.toml"), filepath.Join(dir, "key.toml")
	if err := os.WriteFile(file, []byte(foreign.Config([]foreign.Port{p}, []string{keys})), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := config.Load(file); problems != nil {
		t.Errorf("configuration: %s", problems)
	}
	if p.CAK == nil {
		return
	}
	if err := os.WriteFile(keys, p.KeyFile(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := config.LoadKeys(keys); problems != nil {
		t.Errorf("CAK file: %s", problems)
	}
}

// Clause: none; design: import says why not, and nothing of a key.
func TestWhatCannotBeTakenOverIsSaid(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"nothing known":       {"[Match]\nName=eth1\n", "neither"},
		"EAP":                 {strings.Replace(networkManager, "mode=0", "mode=1", 1), "EAP"},
		"secrets elsewhere":   {strings.Replace(networkManager, "mka-cak=77c1b3d50ee94a6f8a2d1c3e5b7f9a0d\n", "", 1), "no mka-cak"},
		"no MACsec":           {"network={\n\tkey_mgmt=IEEE8021X\n}\n", "no network in it has an mka_cak"},
		"a CAK that is short": {strings.Replace(supplicant, "9a0d", "", 1), "line 16: mka_cak is not made of 32 or 64"},
		"a CKN of text":       {strings.Replace(supplicant, "mka_ckn=0a0b", "mka_ckn=link", 1), "line 17: mka_ckn is not made of 2 to 64"},
		"no CKN":              {strings.Replace(supplicant, "mka_ckn=0a0b", "", 1), "line 16: mka_cak has no CKN"},
		"a CKN too long":      {strings.Replace(networkManager, "11111111", strings.Repeat("11", 33), 1), "line 9: mka-ckn is not made of 2 to 64"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := foreign.Read([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "77c1") {
				t.Errorf("error is %v, want what says %q", err, c.says)
			}
			var wrong *foreign.KeyError
			if strings.HasPrefix(c.says, "line") && (!errors.As(err, &wrong) || wrong.Remedy() == "" || strings.Contains(wrong.Remedy(), "77c1")) {
				t.Errorf("%v has no remedy", err)
			}
		})
	}
}

// Clause: none; design: what is taken over otherwise than it was is said.
func TestSupplicantWithoutMACsecIsSaid(t *testing.T) {
	for policy, says := range map[string]string{"macsec_policy=0": "macsec_policy is 0", "": "macsec_policy is not set", "macsec_policy=1": ""} {
		ports, err := foreign.Read([]byte(strings.Replace(supplicant, "macsec_policy=1", policy, 1)))
		if err != nil || len(ports) != 1 || (len(ports[0].Notes) > 0) != (says != "") ||
			!strings.Contains(strings.Join(ports[0].Notes, ""), says) {
			t.Errorf("%q: %+v, %v", policy, ports, err)
		}
	}
	ports, err := foreign.Read([]byte(supplicant + strings.Replace(supplicant, "macsec_policy=1", "", 1)))
	if err != nil || len(ports) != 2 || len(ports[0].Notes) != 0 || len(ports[1].Notes) != 1 {
		t.Errorf("of two networks: %+v, %v", ports, err)
	}
}

// Clause: none; what is imported comes from elsewhere: it may be anything.
func FuzzRead(f *testing.F) {
	for _, text := range []string{supplicant, networkManager, ipLink, ipMacsec} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ports, err := foreign.Read(text)
		if err == nil && len(ports) == 0 {
			t.Error("neither a port nor an error")
		}
		for _, p := range ports {
			if key := p.KeyFile(); (key == nil) != (p.CAK == nil) {
				t.Error("a CAK without file, or a file without CAK")
			}
		}
	})
}
