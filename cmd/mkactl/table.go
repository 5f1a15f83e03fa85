package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"mkad/internal/control"
)

// Text is laid out for a terminal of 80 columns. Labels of details take the first labelWidth of them.
const (
	pageWidth  = 80
	labelWidth = 15
)

const noPort = "mkad has no port. Add a [[port]] to mkad.toml, then: mkactl reload\n"

// statusText is the document as a person reads it: a table, then the details of each port.
func statusText(d control.Document, now time.Time) string {
	if len(d.Ports) == 0 {
		return noPort
	}
	var b strings.Builder
	b.WriteString(portTable(d.Ports, now))
	for _, p := range d.Ports {
		fmt.Fprintf(&b, "\n%s (controlled %s)\n", p.Interface, p.Controlled)
		writeState(&b, p)
		writeAssociations(&b, p)
		for _, participant := range p.Participants {
			writeParticipant(&b, participant)
		}
		for _, k := range p.NextKeys {
			writeField(&b, "next key", fmt.Sprintf("%s, %s%s", k.CKN, k.Role, lifetime(k.Start, k.End)))
		}
	}
	return b.String()
}

// portTable sets the columns two apart, or one where long names would not leave room for that.
func portTable(ports []control.Port, now time.Time) string {
	table := portTableSpaced(ports, now, 2)
	for line := range strings.Lines(table) {
		if utf8.RuneCountInString(line) > pageWidth+len("\n") {
			return portTableSpaced(ports, now, 1)
		}
	}
	return table
}

func portTableSpaced(ports []control.Port, now time.Time, space int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, space, ' ', 0)
	fmt.Fprintln(w, "INTERFACE\tCONTROLLED\tSTATE\tSUITE\tSERVER\tPEERS\tSINCE")
	for _, p := range ports {
		live, heard := countPeers(p)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d/%d\t%s\n", p.Interface, p.Controlled, p.State,
			cmp.Or(p.CipherSuite, "-"), keyServer(p), live, heard, age(p.Since, now))
	}
	w.Flush()
	return b.String()
}

func keyServer(p control.Port) string {
	switch {
	case p.KeyServer:
		return "self"
	case p.PrincipalCKN != "":
		return "peer"
	}
	return "-"
}

// countPeers counts each station once, though it may take part with several CAKs.
func countPeers(p control.Port) (live, heard int) {
	isLive := make(map[string]bool)
	for _, participant := range p.Participants {
		for _, peer := range participant.Peers {
			isLive[peer.SCI] = isLive[peer.SCI] || peer.State == control.PeerLive
		}
	}
	for _, l := range isLive {
		if l {
			live++
		}
	}
	return live, len(isLive)
}

// age is a span of time in at most six characters.
func age(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	d := max(now.Sub(since), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

func writeState(b *strings.Builder, p control.Port) {
	writeField(b, "state", fmt.Sprintf("%s since %s", p.State, p.Since.UTC().Format("2006-01-02 15:04:05 UTC")))
	if p.Reason != "" {
		writeField(b, "reason", p.Reason)
	}
	for _, w := range p.Warnings {
		writeField(b, "warning", w)
	}
	writeField(b, "backend", joined(p.Backend, p.BackendReason))
	writeField(b, "SCI", cmp.Or(p.SCI, "-"))
	writeField(b, "suite", joined(p.CipherSuite, p.Confidentiality))
	writeField(b, "key server", keyServer(p))
	writeField(b, "rekeys", fmt.Sprint(p.Rekeys))
}

func writeAssociations(b *strings.Builder, p control.Port) {
	if p.Tx.KI != "" {
		writeField(b, "transmit", fmt.Sprintf("AN %d, next PN %d, key %s", p.Tx.AN, p.Tx.NextPN, p.Tx.KI))
		writeField(b, "PNs left", headroom(p.Tx))
	}
	for _, rx := range p.Rx {
		writeField(b, "receive", fmt.Sprintf("AN %d, lowest PN %d, from %s", rx.AN, rx.LowestPN, rx.SCI))
	}
}

// headroom tells how many packet numbers are left, and how long they last at the present pace.
func headroom(tx control.Tx) string {
	left := fmt.Sprint(tx.Headroom)
	const longest = 100 * 365 * 24 * 3600
	switch {
	case tx.ExhaustedInS == 0:
		return left
	case tx.ExhaustedInS > longest:
		return left + ", for centuries at this pace"
	}
	now := time.Time{}.Add(time.Second) // the zero time stands for none
	return left + ", for " + age(now, now.Add(time.Duration(tx.ExhaustedInS)*time.Second)) + " at this pace"
}

// lifetime is when a key starts and ends, "" if always and never.
func lifetime(start, end string) string {
	switch {
	case start == "" && end == "":
		return ""
	case end == "":
		return ", from " + start
	case start == "":
		return ", until " + end
	}
	return ", from " + start + " until " + end
}

func writeParticipant(b *strings.Builder, p control.Participant) {
	text := fmt.Sprintf("%s, %s, %s, MI %s, MN %d%s", p.CKN, p.Role, p.State, p.MI, p.MN, lifetime(p.Start, p.End))
	if p.SuspendedMS > 0 {
		text += fmt.Sprintf(", suspended for %d s yet", (p.SuspendedMS+999)/1000)
	}
	writeField(b, "participant", text)
	for _, peer := range p.Peers {
		heard := time.Duration(peer.LastSeenMS) * time.Millisecond
		writeField(b, "  peer", fmt.Sprintf("%s, %s, heard %.1f s ago, priority %d, MI %s, MN %d",
			peer.SCI, peer.State, heard.Seconds(), peer.KeyServerPriority, peer.MI, peer.MN))
	}
}

func joined(first, second string) string {
	if second == "" {
		return cmp.Or(first, "-")
	}
	return cmp.Or(first, "-") + ", " + second
}

// writeField writes a label and a text, which goes on in the same column when it is too long for the line.
func writeField(b *strings.Builder, label, text string) {
	fmt.Fprintf(b, "  %-*s", labelWidth-2, label)
	column := labelWidth
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		if i > 0 && column+1+length > pageWidth {
			fmt.Fprintf(b, "\n%*s", labelWidth, "")
			column = labelWidth
		} else if i > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteByte('\n')
}
