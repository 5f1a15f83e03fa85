package daemon

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mkad/internal/config"
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
