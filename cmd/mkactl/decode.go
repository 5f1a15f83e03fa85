package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mkad/internal/config"
	"mkad/internal/decode"
)

// decodeFlags say what is made of a capture.
type decodeFlags struct {
	keys, plain, etherType string
	asJSON, lines, force   bool
}

const decodeLong = `Decode says of each frame of a capture what it is. FILE is pcap or pcapng, also compressed by gzip; - is standard input. An
EAPOL-MKA frame is shown set by set, a MACsec frame by its SecTAG, other EAPOL by its name, and other frames are counted at
the end. What a receiver would discard is marked MALFORMED, with the reason and the octet, counted from the destination
address. VLAN tags before the EtherType are stepped over. A mkad need not run.

With --keys, a CAK file of mkad, the ICV of each EAPOL-MKA frame is checked, and MACsec frames are verified with the SAKs
that were distributed in the capture before them. Start and end of keys do not count. A key is never shown, and the file
must be readable by its owner only. A frame without a key came before its SAK, or belongs to another CA.

With --json there is one object a line for each frame, others included, and one whose kind is "summary" at the end. Fields that
a frame does not have are left out. Octets are hexadecimal digits. These names stay as they are:

  every frame  frame (from 1), time, elapsed_ns (since the first), interface,
               length, captured (if cut), source, destination, vlans,
               ethertype, kind, eapol, mka, macsec,
               malformed {reason, offset}, remarks
  kind         mka, eapol, macsec, other, summary
  eapol        version, type, type_name, length
  mka          mka_version, key_server_priority, key_server, macsec_desired,
               macsec_capability, sci, mi, mn, algorithm_agility, ckn,
               live_peer_list, potential_peer_list, sak_use,
               distributed_sak, distributed_cak {length}, kmd,
               announcement {length, cipher_suites [name,
               macsec_capability]}, xpn {suspension_time, latest_lpn_high,
               old_lpn_high}, skipped_sets [type, length, offset, reason],
               icv_indicator, icv, icv_state
  icv_state    valid, invalid, no-key, unchecked
  both lists   peers [mi, mn], key_server_ssci
  sak_use      latest_key, old_key {ki, an, tx, rx, lpn}, plain_tx,
               plain_rx, delay_protect
  distributed_sak
               ki, kn, an, confidentiality, cipher_suite, state: unwrapped,
               failed, wrapped, none
  macsec       sci, an, pn (all 64 bits if authentic), es, sc, scb, e, c,
               sl, octets, ki, plain_ethertype, state: authentic, bad-icv,
               no-key, cut, unchecked
  summary      frames, duration_ns, mka_frames, eapol_frames,
               macsec_frames, other_frames, malformed_frames, icv_states,
               sak_states, macsec_states, ckns_without_key, not_ethernet,
               left_out, error`

func (t *tool) decode() *cobra.Command {
	var f decodeFlags
	cmd := &cobra.Command{
		Use:     "decode FILE",
		Short:   "Say what the frames of a capture are, and decrypt them",
		Long:    decodeLong,
		Example: "  tcpdump -i eth1 -w wire.pcap\n  mkactl decode wire.pcap --keys /etc/mkad/keys/eth1.toml --decrypt plain.pcapng",
		Args:    takes("FILE"),
		RunE:    func(_ *cobra.Command, args []string) error { return t.decodeFile(args[0], f) },
	}
	cmd.Flags().StringVar(&f.keys, "keys", "", "verify with the keys of this CAK `file`")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "one JSON object for each frame, a line each")
	cmd.Flags().BoolVar(&f.lines, "lines", false, "a line for each frame, without the parameter sets")
	cmd.Flags().StringVar(&f.plain, "decrypt", "", "write the frames without MACsec to this new pcapng `file`, mode 0600; those that were not protected as they are")
	cmd.Flags().BoolVar(&f.force, "force", false, "let --decrypt replace a file")
	cmd.Flags().StringVar(&f.etherType, "eapol-ethertype", "", "`type` of EAPOL-MKA frames beside 0x888e, as eapol_ethertype in mkad.toml")
	return cmd
}

func (t *tool) decodeFile(file string, f decodeFlags) (err error) {
	options, err := f.options()
	if err != nil {
		return err
	}
	if f.keys != "" {
		if err := t.hideMemory(); err != nil {
			return err
		}
	}
	keys, err := loadKeys(f.keys)
	defer func() {
		for _, k := range keys {
			k.CAK.Wipe()
		}
	}()
	if err != nil {
		return err
	}
	source, info, err := t.openCapture(file)
	if err != nil {
		return err
	}
	defer source.Close()
	capture, err := decode.Open(source)
	if err != nil {
		return aboutCapture(file, err)
	}
	decoder := decode.New(keys, options)
	defer decoder.Close()
	printing, flush := t.buffered(file == "-")
	defer func() { err = cmp.Or(err, flush()) }()
	if f.plain == "" {
		return aboutCapture(file, printing.decodeAll(capture, decoder, nil, f))
	}
	return printing.decrypt(file, capture, decoder, info, f)
}

// buffered is a tool that prints in large pieces, or with live at once, as who waits for a capture that goes on wants it.
func (t *tool) buffered(live bool) (printing *tool, flush func() error) {
	if live {
		return t, func() error { return nil }
	}
	out := bufio.NewWriterSize(t.stdout, 64<<10)
	copied := *t
	copied.stdout = out
	return &copied, out.Flush
}

// options are those of the decoder; an error is one of usage.
func (f *decodeFlags) options() (o decode.Options, err error) {
	switch {
	case f.plain != "" && f.keys == "":
		return o, usageError{errors.New("--decrypt needs the keys; give --keys")}
	case f.force && f.plain == "":
		return o, usageError{errors.New("--force is for --decrypt; give a file to write")}
	case f.asJSON && f.lines:
		return o, usageError{errors.New("--json and --lines exclude each other")}
	case f.etherType == "":
		return o, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(f.etherType, "0x"), 16, 16)
	if err != nil || n < 0x0600 {
		return o, usageError{errors.New("--eapol-ethertype is four hexadecimal digits from 0x0600 on")}
	}
	o.EtherType = uint16(n)
	return o, nil
}

// loadKeys reads a CAK file by the rules of mkad; no file has no keys.
func loadKeys(file string) ([]config.Key, error) {
	if file == "" {
		return nil, nil
	}
	keys, problems := config.LoadKeys(file)
	var failed []error
	for _, p := range problems.Errors() {
		failed = append(failed, errors.New(p.String()))
	}
	return keys, errors.Join(failed...)
}

// openCapture opens a file, or standard input; info is nil where a file cannot be told from others.
func (t *tool) openCapture(file string) (io.ReadCloser, fs.FileInfo, error) {
	if file == "-" {
		return io.NopCloser(t.stdin), nil, nil
	}
	source, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	info, err := source.Stat()
	if err == nil && info.IsDir() {
		err = advisedError{fmt.Errorf("%s is a directory", file), "name a pcap or pcapng file"}
	}
	if err != nil {
		source.Close()
		return nil, nil, err
	}
	return source, info, nil
}

// aboutCapture puts the name of a capture before what is wrong with it.
func aboutCapture(file string, err error) error {
	var wrong *decode.CaptureError
	if !errors.As(err, &wrong) {
		return err
	}
	if file == "-" {
		file = "standard input"
	}
	return fmt.Errorf("%s %w", file, wrong)
}

// decrypt decodes a capture and writes its frames without MACsec. What was written of one that ends too early stays.
func (t *tool) decrypt(file string, capture *decode.Capture, decoder *decode.Decoder, info fs.FileInfo, f decodeFlags) error {
	out, err := decode.Create(f.plain, f.force, info)
	if err != nil {
		return err
	}
	err = t.decodeAll(capture, decoder, out, f)
	var wrong *decode.CaptureError
	if err != nil && !errors.As(err, &wrong) {
		out.Abandon()
		return err
	}
	return cmp.Or(out.Close(), aboutCapture(file, err))
}

// decodeAll prints what each frame is, and at the end the summary, also of a capture that ends too early.
func (t *tool) decodeAll(capture *decode.Capture, decoder *decode.Decoder, out *decode.PlainFile, f decodeFlags) error {
	summary := decoder.Summary()
	print := t.frames(f)
	var ended error
	for p, err := range capture.Packets() {
		if err != nil {
			ended = err
			summary.Error = err.Error()
			break
		}
		record, plain := decoder.Decode(p)
		switch {
		case out == nil:
		case plain == nil:
			summary.LeftOut++
		default:
			if err := out.Write(p, plain); err != nil {
				return err
			}
		}
		if err := print(record); err != nil {
			return err
		}
	}
	summary.Skipped = capture.Skipped()
	if f.asJSON {
		return cmp.Or(json.NewEncoder(t.stdout).Encode(summary), ended)
	}
	return cmp.Or(t.print("\n"+summary.Text()), ended)
}

// frames prints frames in the form that is asked for. Frames that are neither EAPOL nor MACsec have no line.
func (t *tool) frames(f decodeFlags) func(decode.Record) error {
	switch {
	case f.asJSON:
		lines := json.NewEncoder(t.stdout)
		return func(r decode.Record) error { return lines.Encode(r) }
	case f.lines:
		return func(r decode.Record) error { return t.printFrame(r, r.Line()+"\n") }
	}
	return func(r decode.Record) error { return t.printFrame(r, r.Text()) }
}

func (t *tool) printFrame(r decode.Record, text string) error {
	if r.Kind == decode.KindOther {
		return nil
	}
	return t.print(text)
}
