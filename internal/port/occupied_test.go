package port_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"mkad/internal/port"
)

// speakerEnv has this test program be another one, with an EAPOL socket on the device of that ifindex.
const speakerEnv = "MKAD_TEST_SPEAKS_ON"

// Clause: none; design: a device on which another 802.1X program works is a named error.
func TestDeviceWithAnotherSpeakerIsOccupied(t *testing.T) {
	if index, err := strconv.Atoi(os.Getenv(speakerEnv)); err == nil {
		s, err := port.Open(index, eapolType)
		must(t, err)
		_, _ = s.ReadFrame(make([]byte, 2000)) // until it is killed
		return
	}
	w := newWire(t)
	d, err := w.host.Device(device)
	must(t, err)
	link := port.Link{Name: device, Exists: true, Index: d.Index}
	occupied := func() (verdict error) {
		must(t, w.host.Do(func() error {
			own, err := port.Open(d.Index, eapolType) // our own is not in our way
			must(t, err)
			verdict = port.Occupied(link, eapolType)
			return own.Close()
		}))
		return verdict
	}
	if err := occupied(); err != nil {
		t.Fatal(err)
	}
	speaker := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
	speaker.Env = append(os.Environ(), speakerEnv+"="+strconv.Itoa(d.Index))
	speaker.Stdout, speaker.Stderr = io.Discard, io.Discard
	p, err := w.host.StartCommand(speaker)
	must(t, err)
	wait(t, func() bool { return occupied() != nil })
	var unfit *port.UnfitError
	if err := occupied(); !errors.As(err, &unfit) || unfit.Reason != port.UnfitOccupied ||
		!strings.Contains(err.Error(), "process "+strconv.Itoa(p.PID())+" (exe)") {
		t.Errorf("verdict is %v", err)
	}
	link.Index++
	if err := occupied(); err != nil {
		t.Errorf("another device: %v", err)
	}
	link.Index--
	p.Kill()
	wait(t, func() bool { return occupied() == nil })
}

// wait looks until it is so.
func wait(t *testing.T, so func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for !so() {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("waited in vain")
		}
	}
}
