package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"mkad/secy"
)

const (
	// MaxXPNReplayWindow is the largest replay window of the XPN cipher suites, whose receivers know the upper half of
	// a packet number only that near to the last one (802.1AE-2018 10.7.8).
	MaxXPNReplayWindow = 1<<30 - 1
	// MinSAKLifetime is the shortest lifetime of a SAK but 0: a key server makes one no more often than every MKA Life
	// Time, 6 s, and the one before it retires 3 s after the change.
	MinSAKLifetime = 10 * time.Second

	maxInterfaceName = 15  // octets, IFNAMSIZ of Linux without the final zero
	maxSocketPath    = 107 // octets, sun_path of Linux without the final zero
)

// config fills cfg from the top of the file.
func (t *table) config(cfg *Config) {
	t.unknown()
	cfg.Daemon = t.daemon()
	tables := t.portTables()
	for _, pt := range tables {
		cfg.Ports = append(cfg.Ports, pt.port(filepath.Dir(cfg.file)))
		cfg.ports = append(cfg.ports, pt.at)
	}
	t.distinct(tables, cfg.Ports)
}

// daemon reads [daemon].
func (t *table) daemon() Daemon {
	d := defaultDaemon()
	values, ok := t.values["daemon"].(map[string]any)
	if t.has("daemon") && !ok {
		t.fail("daemon", "is "+kindOf(t.values["daemon"])+", not a table", "write a line [daemon], in single brackets")
	}
	dt := t.inner(daemonShape, values, t.at.key("daemon"))
	dt.unknown()
	dt.absolutePath("control", &d.Control)
	if len(d.Control) > maxSocketPath {
		dt.fail("control", fmt.Sprintf("is longer than the %d octets that a socket's path can have", maxSocketPath),
			"write a shorter path")
	}
	dt.absolutePath("state", &d.State)
	dt.metrics(&d.Metrics)
	dt.logLevel(&d.LogLevel)
	choice(dt, "log_format", &d.LogFormat, LogText, LogJSON)
	choice(dt, "notify_ready", &d.Ready, ReadyListening, ReadySecured)
	return d
}

// absolutePath reads a path that means the same wherever mkad is started.
func (t *table) absolutePath(key string, dst *string) {
	path := *dst
	if !t.text(key, &path) {
		return
	}
	if !filepath.IsAbs(path) {
		t.fail(key, show(path)+" is not an absolute path",
			fmt.Sprintf("write a path that begins with /, for instance %q", *dst))
		return
	}
	*dst = filepath.Clean(path)
}

// metrics reads the address of the metrics listener.
func (t *table) metrics(dst *string) {
	const remedy = `write an IP address and a port, for instance "127.0.0.1:9725", or leave the key out`
	address := "127.0.0.1:9725"
	if !t.has("metrics") || !t.text("metrics", &address) {
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.fail("metrics", show(address)+" is not host:port", remedy)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		t.fail("metrics", show(port)+" is not a port from 1 to 65535", remedy)
		return
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		t.fail("metrics", show(host)+" is not an IP address", remedy)
		return
	}
	*dst = address
}

// logLevel reads a level by the name that the design gives it.
func (t *table) logLevel(dst *slog.Level) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	name := "info"
	choice(t, "log_level", &name, "debug", "info", "warn", "error")
	*dst = levels[name]
}

// portTables finds the [[port]] tables, at most MaxPorts.
func (t *table) portTables() []*table {
	const example = `write [[port]], and below it interface = "eth1"`
	if !t.has("port") {
		t.fail("port", "there is none", example)
		return nil
	}
	list, ok := tablesOf(t.values["port"])
	switch {
	case !ok:
		t.fail("port", "is "+kindOf(t.values["port"])+", not an array of tables", "write [[port]], with two brackets")
	case len(list) == 0:
		t.fail("port", "there is none", example)
	case len(list) > MaxPorts:
		t.failAt(t.at.key("port").item(MaxPorts).line, "port", fmt.Sprintf("there are more than %d", MaxPorts),
			"remove some, or run a second mkad")
		list = list[:MaxPorts]
	}
	tables := make([]*table, len(list))
	for i, values := range list {
		tables[i] = t.inner(portShape, values, t.at.key("port").item(i))
	}
	return tables
}

// tablesOf returns the tables of an array of tables, written as [[port]] or as [{…}].
func tablesOf(v any) (tables []map[string]any, ok bool) {
	if tables, ok = v.([]map[string]any); ok {
		return tables, true
	}
	list, ok := v.([]any)
	for _, element := range list {
		values, isTable := element.(map[string]any)
		tables, ok = append(tables, values), ok && isTable
	}
	if !ok {
		return nil, false
	}
	return tables, true
}

// port reads one [[port]] of a configuration in the directory dir.
func (t *table) port(dir string) Port {
	p := defaultPort()
	t.unknown()
	t.devices(&p)
	t.keysPath(&p.Keys, p.Interface, dir)
	choice(t, "backend", &p.Backend, Backends[:]...)
	t.protection(&p)
	t.access(&p)
	t.agreement(&p)
	return p
}

// devices reads the names of the two devices of a port.
func (t *table) devices(p *Port) {
	if !t.has("interface") {
		t.fail("interface", "is missing", `write interface = "eth1", the device to be secured`)
	}
	t.deviceName("interface", "eth1", &p.Interface)
	t.deviceName("controlled", p.Controlled, &p.Controlled)
	if p.Controlled == p.Interface && p.Interface != "" {
		t.fail("controlled", show(p.Controlled)+" is the interface itself", `write a name of its own, for instance "macsec0"`)
	}
}

// deviceName reads a name that Linux lets a network device have. One that is written and not good leaves no name, so
// that it is not compared with those of other devices.
func (t *table) deviceName(key, example string, dst *string) {
	if !t.has(key) {
		return
	}
	name := example
	*dst = ""
	if !t.text(key, &name) {
		return
	}
	if what := deviceNameFault(name); what != "" {
		t.fail(key, show(name)+" "+what, fmt.Sprintf("write a device's name, for instance %q", example))
		return
	}
	*dst = name
}

// deviceNameFault says why Linux would not have a device of that name, "" when it would.
func deviceNameFault(name string) string {
	switch {
	case name == "", name == ".", name == "..":
		return "is not a name"
	case len(name) > maxInterfaceName:
		return fmt.Sprintf("is longer than %d octets", maxInterfaceName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "contains a space"
	case strings.ContainsAny(name, "/:%"): // % would make a pattern of it
		return "contains one of / : %"
	}
	return ""
}

// keysPath reads where the CAK file of a port is.
func (t *table) keysPath(dst *string, iface, dir string) {
	path := defaultKeys(cmp.Or(iface, "eth1"))
	remedy := fmt.Sprintf("write the path of a CAK file, or leave the key out for %q", path)
	switch written := t.text("keys", &path); {
	case written && path == "":
		t.fail("keys", "is empty", remedy)
	case !strings.ContainsRune(path, filepath.Separator) && filepath.Ext(path) != ".toml" && keyLike.MatchString(path):
		// A path is printed and logged.
		t.fail("keys", "looks like a key, not like the path of a file that holds it",
			remedy+`; begin it with "./" if it is a file's name`)
		path = ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	*dst = path
}

// protection reads what frames look like, and which are refused.
func (t *table) protection(p *Port) {
	t.cipherSuites(&p.CipherSuites)
	t.confidentiality(&p.Confidentiality)
	t.boolean("send_sci", &p.SendSCI)
	t.boolean("replay_protect", &p.ReplayProtect)
	integer(t, "replay_window", &p.ReplayWindow, 0, 1<<32-1)
	t.checkSuites(p)
}

// cipherSuites reads the suites of a port, best first.
func (t *table) cipherSuites(dst *[]secy.CipherSuite) {
	var known []string
	for _, c := range secy.CipherSuites {
		known = append(known, c.String())
	}
	suites, ok := set(t, "cipher_suites", `["GCM-AES-XPN-256", "GCM-AES-128"]`, secy.ParseCipherSuite, known)
	switch {
	case !ok:
	case len(suites) > 0:
		*dst = suites
	case t.isEmpty("cipher_suites"):
		t.fail("cipher_suites", "is empty", "list at least one, or leave the key out for all four")
	}
}

func (t *table) isEmpty(key string) bool {
	list, ok := t.values[key].([]any)
	return ok && len(list) == 0
}

// confidentiality reads a confidentiality offset by its name.
func (t *table) confidentiality(dst *secy.ConfidentialityOffset) {
	name := dst.String()
	choice(t, "confidentiality", &name, secy.IntegrityOnly.String(), secy.Offset0.String(), secy.Offset30.String(),
		secy.Offset50.String())
	*dst, _ = secy.ParseConfidentialityOffset(name)
}

// checkSuites holds what depends on the suites against them (802.1AE-2018 14.7, 10.7.8).
func (t *table) checkSuites(p *Port) {
	barred := func(c secy.CipherSuite) bool { return !c.Allows(p.Confidentiality) }
	switch {
	case !slices.ContainsFunc(p.CipherSuites, barred):
	case slices.IndexFunc(p.CipherSuites, func(c secy.CipherSuite) bool { return !barred(c) }) < 0:
		t.fail("confidentiality", p.Confidentiality.String()+" exists with none of the cipher suites, all of which are XPN",
			`write "offset-0", or add GCM-AES-256 or GCM-AES-128 to cipher_suites`)
	default:
		t.warn("confidentiality", "the XPN cipher suites are never used with "+p.Confidentiality.String(),
			`write "offset-0", or cipher_suites = ["GCM-AES-256", "GCM-AES-128"]`)
	}
	if p.ReplayWindow > MaxXPNReplayWindow && slices.ContainsFunc(p.CipherSuites, secy.CipherSuite.XPN) {
		t.fail("replay_window", fmt.Sprintf("%d is more than XPN cipher suites allow", p.ReplayWindow),
			fmt.Sprintf("write at most %d, or list only GCM-AES-256 and GCM-AES-128", MaxXPNReplayWindow))
	}
}

// access reads who may send and receive what, and when.
func (t *table) access(p *Port) {
	choice(t, "policy", &p.Policy, MustSecure, ShouldSecure)
	choice(t, "uncontrolled", &p.Uncontrolled, Closed, Open)
	choice(t, "on_unsecured", &p.OnUnsecured, Dormant, Down)
	choice(t, "on_exit", &p.OnExit, Keep, Remove)
	known := func(name string) (string, bool) { return name, slices.Contains(BypassProtocols[:], name) }
	p.Bypass, _ = set(t, "bypass", `["lldp"]`, known, BypassProtocols[:])

	if p.Uncontrolled != Open {
		return
	}
	if len(p.Bypass) > 0 {
		t.warn("bypass", `changes nothing while uncontrolled = "open"`, `leave it out, or write uncontrolled = "closed"`)
	}
	if p.Policy == ShouldSecure {
		t.warn("uncontrolled", `"open" under should-secure gives the host every plain frame twice`, `write "closed"`)
	}
}

// agreement reads what MKA is told.
func (t *table) agreement(p *Port) {
	integer(t, "key_server_priority", &p.KeyServerPriority, 0, 255)
	integer(t, "port_id", &p.PortID, 1, 65535)
	t.sakLifetime(&p.SAKLifetime)
	t.boolean("delay_protect", &p.DelayProtect)
	t.habits(p)
}

// sakLifetime reads how long a SAK is used at most.
func (t *table) sakLifetime(dst *time.Duration) {
	const key = "sak_lifetime"
	d, text, ok := t.duration(key, "24h", `"24h", "90m" or "0s"`)
	switch {
	case !ok:
	case d != 0 && d < MinSAKLifetime:
		t.fail(key, show(text)+" is too short", fmt.Sprintf(`write at least "%s", or "0s" for no limit`, MinSAKLifetime))
	default:
		*dst = d
	}
}

// duration reads one as Go writes them.
func (t *table) duration(key, example, examples string) (d time.Duration, text string, ok bool) {
	text = example
	if !t.has(key) || !t.text(key, &text) {
		return 0, "", false
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.fail(key, show(text)+" is not a duration", "write a number with its unit, for instance "+examples)
	}
	return d, text, err == nil
}

// distinct reports the devices that more than one port would have. With each interface in one port only, no two ports
// share an SCI either.
func (t *table) distinct(tables []*table, ports []Port) {
	interfaces, controlled := map[string]int{}, map[string]int{}
	for i, p := range ports {
		pt := tables[i]
		if line, taken := claim(interfaces, p.Interface, pt.at.line); taken {
			pt.fail("interface", fmt.Sprintf("%s is that of the port in line %d already", show(p.Interface), line),
				"remove one of the two ports")
		}
		if line, taken := claim(controlled, p.Controlled, pt.at.line); taken {
			pt.fail("controlled", fmt.Sprintf("%s is that of the port in line %d already", show(p.Controlled), line),
				fmt.Sprintf(`write a name of its own, for instance controlled = "macsec%d"`, i))
		}
	}
	for i, p := range ports {
		if line, taken := interfaces[p.Controlled]; taken && p.Controlled != p.Interface {
			tables[i].fail("controlled", fmt.Sprintf("%s is the interface of the port in line %d", show(p.Controlled), line),
				fmt.Sprintf(`write a name of its own, for instance controlled = "macsec%d"`, i))
		}
	}
}

// claim gives a device's name to the port in a line, or says which port has it already. No name claims nothing.
func claim(owners map[string]int, name string, line int) (owner int, taken bool) {
	if owner, taken = owners[name]; !taken && name != "" {
		owners[name] = line
	}
	return owner, taken
}
