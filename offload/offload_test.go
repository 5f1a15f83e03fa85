package offload

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mkad/secy"
)

var all = secy.CipherSuites[:]

// Offers of a machine that has everything, of which each case takes what it is about.
var (
	mac       = Offer{Backend: BackendMAC, Available: true, Suites: all[:2], Capability: secy.CapabilityConfidentiality}
	noMAC     = Offer{Backend: BackendMAC, Why: "eth1 has no macsec-hw-offload"}
	kernel    = Offer{Backend: BackendKernel, Available: true, Suites: all, Capability: secy.CapabilityOffsets}
	noKernel  = Offer{Backend: BackendKernel, Why: "no macsec module"}
	userspace = Userspace(nil)
	noTAP     = Userspace(errors.New("open /dev/net/tun: no such file or directory"))
	integrity = Offer{Backend: BackendPHY, Available: true, Suites: all, Capability: secy.CapabilityIntegrity}
)

// Clause: none; design: a port gets a SecY that can do what it asks
// Requirement: R110
func TestChoice(t *testing.T) {
	every := Need{Suites: []secy.CipherSuite{secy.GCMAESXPN256, secy.GCMAES128}, Offset: secy.Offset0}
	for name, c := range map[string]struct {
		want   Backend
		need   Need
		offers []Offer
		get    Choice
	}{
		"auto takes user space when it is alone": {BackendAuto, every, []Offer{userspace},
			Choice{BackendUserspace, every.Suites, "best on offer"}},
		"auto prefers what works most": {BackendAuto, every, []Offer{userspace, kernel, mac},
			Choice{BackendMAC, []secy.CipherSuite{secy.GCMAES128}, "best on offer"}},
		"auto says what it passed over": {BackendAuto, every, []Offer{noMAC, noKernel, userspace},
			Choice{BackendUserspace, every.Suites,
				"best on offer; not offload-mac: eth1 has no macsec-hw-offload; not kernel: no macsec module"}},
		"auto passes over what cannot do the offset": {BackendAuto, Need{all, secy.Offset30}, []Offer{mac, kernel},
			Choice{BackendKernel, []secy.CipherSuite{secy.GCMAES128, secy.GCMAES256},
				"best on offer; not offload-mac: cannot do confidentiality \"offset-30\""}},
		"auto passes over what has no suite in common": {BackendAuto, Need{all[2:], secy.Offset0}, []Offer{mac, userspace},
			Choice{BackendUserspace, all[2:], "best on offer; not offload-mac: can do none of cipher_suites with " +
				"confidentiality \"offset-0\", only GCM-AES-128, GCM-AES-256"}},
		"a named backend is taken though another is better": {BackendUserspace, every, []Offer{mac, userspace},
			Choice{BackendUserspace, every.Suites, "configured"}},
		"integrity only is enough for integrity only": {BackendPHY, Need{all, secy.IntegrityOnly}, []Offer{integrity},
			Choice{BackendPHY, all, "configured"}},
		"the order of suites is the port's": {BackendAuto,
			Need{[]secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, secy.Offset0}, []Offer{userspace},
			Choice{BackendUserspace, []secy.CipherSuite{secy.GCMAES256, secy.GCMAES128}, "best on offer"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(c.want, c.need, c.offers)
			if err != nil {
				t.Fatal(err)
			}
			if got.Backend != c.get.Backend || got.Reason != c.get.Reason || !slices.Equal(got.Suites, c.get.Suites) {
				t.Errorf("got  %v\nwant %v", got, c.get)
			}
		})
	}
}

func TestRefusalSaysWhatIsMissing(t *testing.T) {
	every := Need{all, secy.Offset0}
	for name, c := range map[string]struct {
		want   Backend
		need   Need
		offers []Offer
		says   string
	}{
		"a backend that this mkad lacks": {BackendKernel, every, []Offer{userspace},
			`choose backend "kernel": backend not available: this mkad does not have it; set backend to "auto" or "userspace"`},
		"a backend that the machine lacks": {BackendKernel, every, []Offer{noKernel, userspace}, "kernel: no macsec module"},
		"no TAP": {BackendAuto, every, []Offer{noTAP},
			"open /dev/net/tun: no such file or directory; load the tun module"},
		"nothing at all": {BackendAuto, every, nil, "no SecY at all"},
		"an offset that is not to be had": {BackendMAC, Need{all, secy.Offset50}, []Offer{mac, userspace},
			`cannot do confidentiality "offset-50"`},
		"no confidentiality": {BackendPHY, every, []Offer{integrity}, `cannot do confidentiality "offset-0"`},
		"XPN with offset 30": {BackendUserspace, Need{all[2:], secy.Offset30}, []Offer{userspace},
			`none of cipher_suites with confidentiality "offset-30", only GCM-AES-128, GCM-AES-256`},
		"no suites": {BackendUserspace, Need{nil, secy.Offset0}, []Offer{userspace}, "none of cipher_suites"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(c.want, c.need, c.offers)
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v, want an error that says %q", got, err, c.says)
			}
		})
	}
}

func TestBackendNamesParseBack(t *testing.T) {
	for b := BackendAuto; b <= BackendUserspace; b++ {
		if got, ok := ParseBackend(b.String()); !ok || got != b {
			t.Errorf("ParseBackend(%q) = %v, %t", b, got, ok)
		}
	}
}

func TestUnknownBackendDoesNotParse(t *testing.T) {
	for _, name := range []string{"", "hardware", "Kernel", "Backend(0)"} {
		if b, ok := ParseBackend(name); ok {
			t.Errorf("ParseBackend(%q) = %v", name, b)
		}
	}
}
