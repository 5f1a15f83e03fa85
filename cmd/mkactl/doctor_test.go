package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mkad/internal/doctor"
)

// Clause: none; design: doctor, in words and as JSON.
func TestDoctorSaysWhatIsMissing(t *testing.T) {
	examine := func(args ...string) string {
		var stdout bytes.Buffer
		tool := tool{stdout: &stdout, stderr: &stdout,
			look: func(devices ...string) (doctor.Facts, error) {
				f := doctor.Facts{Kernel: "6.12", TUN: errors.New("no node")}
				for _, d := range devices {
					f.Devices = append(f.Devices, doctor.Device{Name: d, MTU: 1600})
				}
				return f, nil
			}}
		if exit := tool.run(append([]string{"doctor"}, args...)); exit != exitDone {
			t.Errorf("exit status %d", exit)
		}
		return stdout.String()
	}
	if out := examine(); !strings.HasPrefix(out, "Linux 6.12\n") || !strings.Contains(out, "user-space SecY: missing\n") ||
		!strings.Contains(out, "  try          modprobe tun") {
		t.Errorf("output is\n%s", out)
	}
	if out := examine("eth1"); !strings.Contains(out, "device eth1: good\n") {
		t.Errorf("of eth1:\n%s", out)
	}
	var r doctor.Report
	if err := json.Unmarshal([]byte(examine("--json")), &r); err != nil || len(r.Findings) < 6 || r.Version != 1 {
		t.Errorf("report is %+v (%v)", r, err)
	}
}
