// Package daemontest lets a test binary play mkad, with other things than the host has: above all a wall clock on which
// days are minutes.
package daemontest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A Clock is a wall clock that runs faster than the host's. Two that are made alike tell the same time.
type Clock struct {
	Began time.Time // by the host's clock, when this one showed Wall
	Wall  time.Time
	Rate  int // how many seconds it counts in one; at least 1
}

// Now is the time that it shows.
func (c Clock) Now() time.Time { return c.Wall.Add(time.Since(c.Began) * time.Duration(c.Rate)) }

// Until is how long it takes by the host's clock until this one shows t.
func (c Clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) / time.Duration(c.Rate) }

// Synchronized is always true.
func (c Clock) Synchronized() bool { return true }

// clockFile is the file of a host's clock, beside its configuration.
func clockFile(config string) string { return filepath.Join(filepath.Dir(config), "clock.json") }

// Give has the mkad of a configuration that ReadClock serves live by the clock.
func (c Clock) Give(config string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(clockFile(config), text, 0o644)
}

// ReadClock is the clock that the configuration's mkad was given; the host's time if it was given none.
func ReadClock(config string) (c Clock, err error) {
	c.Began = time.Now()
	c.Wall, c.Rate = c.Began, 1
	text, err := os.ReadFile(clockFile(config))
	if os.IsNotExist(err) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err == nil && c.Rate < 1 {
		err = fmt.Errorf("%s: a rate of %d", clockFile(config), c.Rate)
	}
	return c, err
}

// A Key is an entry of a CAK file.
type Key struct {
	CKN        string // hexadecimal digits
	Start, End time.Time
	Fallback   bool
	// Broken makes its CAK another than that of all who have the same CKN.
	Broken bool
}

// KeyFile is the text of a CAK file. The CAKs follow from the CKNs.
func KeyFile(keys ...Key) string {
	var b strings.Builder
	for _, k := range keys {
		seed := [32]byte{}
		copy(seed[:], k.CKN)
		if k.Broken {
			seed[31] = 1
		}
		cak := make([]byte, 32)
		_, _ = rand.NewChaCha8(seed).Read(cak) // never fails
		fmt.Fprintf(&b, "[[key]]\nckn = %q\ncak = \"%x\"\n", k.CKN, cak)
		if !k.Start.IsZero() {
			fmt.Fprintf(&b, "start = %s\n", k.Start.UTC().Format(time.RFC3339))
		}
		if !k.End.IsZero() {
			fmt.Fprintf(&b, "end = %s\n", k.End.UTC().Format(time.RFC3339))
		}
		if k.Fallback {
			b.WriteString("role = \"fallback\"\n")
		}
	}
	return b.String()
}
