package link

import (
	"os"
	"path/filepath"
	"testing"

	"mkad/internal/guest/guesttest"
	"mkad/internal/netlab/mkadlab"
)

// startSupplicant runs wpa_supplicant on the host's lower device with the key of the CAK file. What mkad and
// wpa_supplicant make of each other is shown by package interop.
func startSupplicant(t *testing.T, h *mkadlab.Host, keyFile string, lines ...string) *mkadlab.Supplicant {
	t.Helper()
	log, err := os.Create(filepath.Join(guesttest.Keep(t), h.Name+".log"))
	must(t, err)
	t.Cleanup(func() { log.Close() })
	s, err := h.StartSupplicant(log, keyFile, lines...)
	must(t, err)
	return s
}
