package kernel

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// These tests ask this machine's kernel for what every kernel has.

func dialed(t *testing.T) *conversation {
	t.Helper()
	c, err := converse(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.hangUp)
	return c
}

func TestKernelAnswers(t *testing.T) {
	c := dialed(t)
	l, err := c.link(0, "lo")
	if err != nil || l.name != "lo" || l.index != 1 {
		t.Errorf("lo is %+v, %v", l, err)
	}
}

func TestKernelListsTheSameAgain(t *testing.T) {
	c := dialed(t)
	for range 2 {
		all, err := c.links()
		if err != nil || len(all) == 0 || all[0].name != "lo" {
			t.Errorf("links are %+v, %v", all, err)
		}
	}
}

func TestKernelsErrorIsAnErrno(t *testing.T) {
	c := dialed(t)
	if _, err := c.link(0, "no-such-device"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("error is %v", err)
	}
}

func TestKernelTellsTheIdentityOfADevice(t *testing.T) {
	id, err := dialed(t).identify(1)
	if err != nil || len(id.devices) != 1 || id.devices[0].name != "lo" {
		t.Errorf("identity is %+v, %v", id, err)
	}
}

func TestClosedSocketIsAnError(t *testing.T) {
	c := dialed(t)
	c.hangUp()
	if _, err := c.link(0, "lo"); err == nil {
		t.Error("a closed socket answers")
	}
}
