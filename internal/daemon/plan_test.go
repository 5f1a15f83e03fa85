package daemon

import (
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mkad/internal/config"
	"mkad/offload"
	"mkad/secy"
)

// Clause: none; what a reload restarts a port for is what the reference says
func TestReferenceNamesTheSettingsThatRestartAPort(t *testing.T) {
	text, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	sentence := regexp.MustCompile(`(?s)begins anew and cuts.*?: (.*?)\.\s`).FindSubmatch(text)
	if sentence == nil {
		t.Fatal("docs/config.md does not say what begins anew")
	}
	said := regexp.MustCompile(`[a-z0-9]+(_[a-z0-9]+)*`).FindAllString(strings.ReplaceAll(string(sentence[1]), " and ", " "), -1)
	var want []string
	for _, s := range (config.Port{}).Settings() {
		if s.Key != "interface" && !slices.Contains(adjustable, s.Key) {
			want = append(want, s.Key)
		}
	}
	slices.Sort(said)
	slices.Sort(want)
	if !slices.Equal(said, want) {
		t.Errorf("docs/config.md says that these begin anew:\n%v\nand these do:\n%v", said, want)
	}
}

// Clause: none; design decision 2: what the kernel fixes when a device is made
func TestWhatTheKernelFixesMakesAnotherDevice(t *testing.T) {
	suites := []secy.CipherSuite{secy.GCMAES256}
	for _, c := range []struct {
		from, to offload.Backend
		next     config.Port
		want     bool
	}{
		{from: offload.BackendUserspace, to: offload.BackendUserspace, next: config.Port{PortID: 2, CipherSuites: suites}},
		{from: offload.BackendUserspace, to: offload.BackendKernel, want: true},
		{from: offload.BackendKernel, to: offload.BackendUserspace, want: true},
		{from: offload.BackendKernel, to: offload.BackendKernel},
		{from: offload.BackendKernel, to: offload.BackendKernel, next: config.Port{PortID: 2}, want: true},
		{from: offload.BackendKernel, to: offload.BackendKernel, next: config.Port{CipherSuites: suites}, want: true},
		{from: offload.BackendKernel, to: offload.BackendMAC, want: true},
		{from: offload.BackendMAC, to: offload.BackendKernel, want: true},
		{from: offload.BackendMAC, to: offload.BackendPHY, want: true},
		{from: offload.BackendPHY, to: offload.BackendPHY},
	} {
		if got := remade(config.Port{}, c.next, c.from, c.to); got != c.want {
			t.Errorf("%s to %s with %+v: %t, want %t", c.from, c.to, c.next, got, c.want)
		}
	}
}

// Clause: none; design: [daemon] is compared with what runs, however often another configuration was read since
func TestPlanNamesWhatWaitsForTheNextStart(t *testing.T) {
	runs := &config.Config{Daemon: config.Daemon{LogLevel: slog.LevelInfo}}
	d := New(Options{Config: runs})
	read := &config.Config{Daemon: config.Daemon{LogLevel: slog.LevelDebug}}
	for range 2 {
		if got := d.planFor(read).Daemon; len(got) != 1 || !strings.Contains(got[0], "log_level") {
			t.Errorf("the plan says %q", got)
		}
		d.change(read)
	}
	if got := d.planFor(runs).Daemon; len(got) != 0 {
		t.Errorf("back to what runs the plan says %q", got)
	}
}
