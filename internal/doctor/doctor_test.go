package doctor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mkad/secy"
)

// healthy is a machine that lacks nothing.
func healthy() Facts {
	return Facts{Kernel: "6.12", Capabilities: Capabilities{true, true, true}, Suites: secy.CipherSuites[:],
		GCM: []string{"generic-gcm-aesni-avx"}, AES: true, ClockKept: true,
		Devices: []Device{{Name: "eth1", Driver: "ixgbe", MTU: 9000}}}
}

// Clause: none; design: doctor. Each want is told as what it is, and a healthy machine has none.
func TestEachWantIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(*Facts)
		what  string
		grade Grade
		says  string
	}{
		"no rights":         {func(f *Facts) { f.Capabilities.NetRaw = false }, "capabilities", Missing, "ask again as root"},
		"a container":       {func(f *Facts) { f.Capabilities.FirstUserNS = false }, "capabilities", Limited, "user namespace"},
		"no nf_tables":      {func(f *Facts) { f.Filter = errors.New("no hook") }, "closing lower devices", Missing, "no hook"},
		"no macsec":         {func(f *Facts) { f.MACsec = errors.New("no module") }, "kernel SecY", Missing, "user space"},
		"no XPN":            {func(f *Facts) { f.Suites = []secy.CipherSuite{secy.GCMAES128} }, "kernel SecY", Limited, "GCM-AES-128"},
		"no tun":            {func(f *Facts) { f.TUN = errors.New("no node") }, "user-space SecY", Missing, "modprobe tun"},
		"slow processor":    {func(f *Facts) { f.AES = false }, "AES-GCM", Limited, "no instructions"},
		"slow driver":       {func(f *Facts) { f.GCM = []string{"gcm_base(ctr(aes-generic),ghash-generic)"} }, "AES-GCM", Limited, "aesni_intel"},
		"clock of its own":  {func(f *Facts) { f.ClockKept = false }, "clock", Limited, "chrony"},
		"MTU of 1500":       {func(f *Facts) { f.Devices[0].MTU = 1500 }, "device eth1", Limited, "ip link set eth1 mtu 1532"},
		"part of a bridge":  {func(f *Facts) { f.Devices[0].Unfit = errors.New("br0 takes its frames") }, "device eth1", Missing, "br0"},
		"a virtual machine": {func(f *Facts) { f.Devices[0].Behind = true }, "device eth1", Good, "virtual switch"},
		"hardware":          {func(f *Facts) { f.Devices[0].Offloads = []string{"offload-mac"} }, "device eth1", Good, "offload-mac"},
		"hardware with a trap": {func(f *Facts) { f.Devices[0].Driver, f.Devices[0].Offloads = "mlx5_core", []string{"offload-mac"} },
			"device eth1", Good, "replay_window must be 32, 64, 128 or 256"},
		"a PHY with a trap": {func(f *Facts) {
			f.Devices[0].PHY, f.Devices[0].Offloads = "Microsemi GE VSC8584 SyncE", []string{"offload-phy"}
		},
			"device eth1", Good, "takes XPN suites and protects without XPN"},
		"no list of devices": {func(f *Facts) { f.Unlisted, f.Devices = errors.New("no netlink"), nil }, "devices", Missing, "no netlink"},
		"served by mkad":     {func(f *Facts) { f.Devices[0].Server = "process 7 (mkad)" }, "device eth1", Good, "process 7 (mkad) serves it"},
		"hardware in use": {func(f *Facts) { f.Devices[0].Driver, f.Devices[0].Used = "netdevsim", "macsec0" }, "device eth1", Good,
			"macsec0 is on it, so MACsec in hardware was not tried (it protects nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			c.harm(&f)
			for _, finding := range Judge(f).Findings {
				if mine := finding.What == c.what; mine && (finding.Grade != c.grade || !strings.Contains(finding.Say+finding.Remedy, c.says)) ||
					!mine && finding.Grade != Good {
					t.Errorf("%+v", finding)
				}
			}
		})
	}
	for _, finding := range Judge(healthy()).Findings {
		if finding.Grade != Good || finding.Remedy != "" {
			t.Errorf("a healthy machine: %+v", finding)
		}
	}
}

// Clause: none; design: doctor. A driver whose device has no MACsec engine has no trap.
func TestTrapIsToldOnlyWhereThereIsAnEngine(t *testing.T) {
	f := healthy()
	f.Devices[0].Driver = "mlx5_core"
	for _, finding := range Judge(f).Findings {
		if strings.Contains(finding.Say, "replay_window") {
			t.Errorf("%+v", finding)
		}
	}
}

// Clause: none; the kernel's list of algorithms: of several drivers the one with the highest priority is used.
func TestDriversComeBestFirst(t *testing.T) {
	const text = "name         : gcm(aes)\ndriver       : gcm_base(ctr(aes-generic),ghash-generic)\npriority     : 100\n\n" +
		"name         : rfc4106(gcm(aes))\ndriver       : rfc4106-gcm-aesni\npriority     : 400\n\n" +
		"name         : gcm(aes)\ndriver       : generic-gcm-aesni\npriority     : 400\n"
	if got := gcmOf(text); !slices.Equal(got, []string{"generic-gcm-aesni", "gcm_base(ctr(aes-generic),ghash-generic)"}) {
		t.Errorf("drivers are %v", got)
	}
}
