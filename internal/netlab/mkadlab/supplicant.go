package mkadlab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"mkad/internal/netlab"
)

// supplicantConfig is what a user of wpa_supplicant writes, with a control socket to look at; more lines go at the end.
const supplicantConfig = `ctrl_interface=%s
eapol_version=3
ap_scan=0
network={
	key_mgmt=NONE
	eapol_flags=0
	macsec_policy=1
	mka_cak=%s
	mka_ckn=%s
%s
}
`

// A Supplicant is a wpa_supplicant on the lower device of a Host, in the place of its mkad. It makes the Controlled Port
// under the same name.
type Supplicant struct {
	*netlab.Process
	host    *Host
	control string // the directory of its control socket
}

// StartSupplicant runs wpa_supplicant with the first key of a CAK file, and with more lines of its network block. What it
// says, with -d, goes to out.
func (h *Host) StartSupplicant(out io.Writer, keyFile string, lines ...string) (*Supplicant, error) {
	dir, err := os.MkdirTemp(h.dir, "wpa-")
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	cak, err := keyValue(key, "cak")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", keyFile, err)
	}
	ckn, err := keyValue(key, "ckn")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", keyFile, err)
	}
	s := &Supplicant{host: h, control: filepath.Join(dir, "control")}
	file := filepath.Join(dir, "wpa_supplicant.conf")
	text := fmt.Appendf(nil, supplicantConfig, s.control, cak, ckn, strings.Join(lines, "\n"))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	s.Process, err = h.Start(out, "wpa_supplicant", "-D", "macsec_linux", "-i", Lower, "-c", file, "-d")
	return s, err
}

// keyValue takes a value of hexadecimal digits out of a CAK file of ours.
func keyValue(file []byte, name string) ([]byte, error) {
	found := regexp.MustCompile(`(?m)^` + name + `\s*=\s*"([0-9a-fA-F]+)"`).FindSubmatch(file)
	if found == nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return found[1], nil
}

// A SupplicantStatus is what wpa_supplicant tells of its MKA.
type SupplicantStatus struct {
	Secured         bool   // "Secured=Yes"
	KeyServer       bool   // this wpa_supplicant is it
	SCI             string // 16 digits, as mkad writes it
	KeyServerSCI    string
	MI              string // 24 digits
	Live, Potential int    // how many peers are in its lists
}

// Status asks wpa_supplicant, by wpa_cli. One that has not got so far, or has ended, is an error.
func (s *Supplicant) Status(ctx context.Context) (SupplicantStatus, error) {
	out, err := s.host.Run(ctx, "wpa_cli", "-p", s.control, "-i", Lower, "status")
	if err != nil {
		return SupplicantStatus{}, err
	}
	return parseSupplicantStatus([]byte(out))
}

func parseSupplicantStatus(out []byte) (status SupplicantStatus, err error) {
	said := map[string]string{}
	for line := range bytes.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		said[name] = value
	}
	status = SupplicantStatus{Secured: said["Secured"] == "Yes", KeyServer: said["is_key_server"] == "Yes", MI: said["mi"],
		SCI: plainSCI(said["actor_sci"]), KeyServerSCI: plainSCI(said["key_server_sci"])}
	if status.MI == "" {
		return status, fmt.Errorf("wpa_supplicant has no participant of MKA: %s", out)
	}
	if status.Live, err = strconv.Atoi(said["live_peers"]); err != nil {
		return status, fmt.Errorf("wpa_supplicant's live peers: %w", err)
	}
	if status.Potential, err = strconv.Atoi(said["potential_peers"]); err != nil {
		return status, fmt.Errorf("wpa_supplicant's potential peers: %w", err)
	}
	return status, nil
}

// plainSCI writes an SCI as mkad does: wpa_supplicant has MAC@PORT, the port in decimal.
func plainSCI(text string) string {
	mac, port, _ := strings.Cut(text, "@")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s%04x", strings.ReplaceAll(mac, ":", ""), n)
}
