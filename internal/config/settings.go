package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A Setting is a key of a table and the value that holds, written or not, as it would be written.
type Setting struct{ Key, Value string }

// Settings lists every key of a port with its value, in the order of the example.
func (p Port) Settings() []Setting {
	return []Setting{
		{"interface", strconv.Quote(p.Interface)},
		{"controlled", strconv.Quote(p.Controlled)},
		{"keys", strconv.Quote(p.Keys)},
		{"backend", strconv.Quote(p.Backend)},
		{"cipher_suites", array(p.CipherSuites)},
		{"confidentiality", strconv.Quote(p.Confidentiality.String())},
		{"policy", strconv.Quote(string(p.Policy))},
		{"uncontrolled", strconv.Quote(string(p.Uncontrolled))},
		{"bypass", array(p.Bypass)},
		{"on_unsecured", strconv.Quote(string(p.OnUnsecured))},
		{"key_server_priority", fmt.Sprint(p.KeyServerPriority)},
		{"port_id", fmt.Sprint(p.PortID)},
		{"send_sci", fmt.Sprint(p.SendSCI)},
		{"replay_protect", fmt.Sprint(p.ReplayProtect)},
		{"replay_window", fmt.Sprint(p.ReplayWindow)},
		{"sak_lifetime", strconv.Quote(p.SAKLifetime.String())},
		{"delay_protect", fmt.Sprint(p.DelayProtect)},
		{"eapol_destination", strconv.Quote(p.EAPOLDestination.String())},
		{"eapol_accept", strconv.Quote(string(p.EAPOLAccept))},
		{"eapol_ethertype", fmt.Sprintf("%#04x", p.EAPOLEtherType)},
		{"mka_version", mkaVersion(p.MKAVersion)},
		{"icv_indicator", fmt.Sprint(p.ICVIndicator)},
		{"hello_time", strconv.Quote(p.HelloTime.String())},
		{"life_time", strconv.Quote(p.LifeTime.String())},
		{"in_service_slot", strconv.Quote(string(p.InServiceSlot))},
		{"allow_priority_255", fmt.Sprint(p.AllowPriority255)},
		{"on_exit", strconv.Quote(string(p.OnExit))},
	}
}

// Settings lists every key of [daemon] with its value.
func (d Daemon) Settings() []Setting {
	return []Setting{
		{"control", strconv.Quote(d.Control)},
		{"state", strconv.Quote(d.State)},
		{"metrics", strconv.Quote(d.Metrics)},
		{"log_level", strconv.Quote(strings.ToLower(d.LogLevel.String()))},
		{"log_format", strconv.Quote(string(d.LogFormat))},
		{"notify_ready", strconv.Quote(string(d.Ready))},
	}
}

// mkaVersion writes the version that is sent, 0 for the highest that peers answer.
func mkaVersion(v uint8) string {
	if v == 0 {
		return `"auto"`
	}
	return fmt.Sprint(v)
}

// array writes the elements of a slice as strings of TOML.
func array(slice any) string {
	v := reflect.ValueOf(slice)
	words := make([]string, v.Len())
	for i := range words {
		words[i] = strconv.Quote(fmt.Sprint(v.Index(i).Interface()))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// A Difference is a setting whose value changes.
type Difference struct{ Key, Old, New string }

// String is the difference as people read it.
func (d Difference) String() string { return fmt.Sprintf("%s: %s -> %s", d.Key, d.Old, d.New) }

// Differences lists what changes from one list of settings to another of the same table.
func Differences(before, after []Setting) (all []Difference) {
	for i := range before {
		if before[i] != after[i] {
			all = append(all, Difference{before[i].Key, before[i].Value, after[i].Value})
		}
	}
	return all
}
