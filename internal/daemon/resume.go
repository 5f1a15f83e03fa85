package daemon

import (
	"errors"
	"io/fs"
	"time"

	"mkad/internal/explain"
	"mkad/mka"
)

// freshTime is the longest that what was kept is older than a frame that has come in: our own hellos, before which it is
// kept too, are usually closer.
const freshTime = mka.HelloTime + 500*time.Millisecond

// keep keeps what the next process needs. That comes before the Ops are obeyed and the frames sent: what others, and the
// SecY, know of us the next process knows.
func (p *port) keep() {
	s := p.kay.State()
	p.file.keep(&s)
	p.keptAt = p.now()
}

// received keeps what a frame has changed, but not for each: to hear the last again does no harm.
func (p *port) received() {
	if p.kay != nil && p.now() >= p.keptAt.Add(freshTime) {
		p.keep()
	}
}

// resume goes on where an earlier process has ended, once in the life of this one: if the device has been here all the
// time, which it has if it is now, and the last MKPDU is younger than MKA Life Time. Else the port begins afresh, and what
// the SecY has in service stays until that has led to something.
func (p *port) resume() {
	first := !p.begun
	p.begun = true
	if !first || !p.link.Carrier {
		return
	}
	s, err := p.file.read()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil && !errors.Is(err, errOtherBoot) {
		p.stateLost = err
		p.log.Warn("what was kept cannot be read: beginning anew with the peers", "cause", explain.StateUnreadable, "reason", err)
		return
	}
	if err == nil {
		err = p.resumeFrom(p.now(), &s)
	}
	if err != nil {
		p.log.Info("beginning anew with the peers", "reason", err)
	}
}

func (p *port) resumeFrom(now mka.Time, s *mka.State) error {
	claims, err := p.kay.Claims(now, s)
	if err != nil {
		return err
	}
	held := p.secY.Adopt(claims)
	p.out.Reset()
	err = p.kay.Step(now, mka.Resumed{State: *s, Held: held}, &p.out)
	p.carryOut()
	return err
}

// leaveGoing ends the KaY and orders nothing: the SecY goes on for the next process. What the KaY would order is thrown
// away; it wipes its keys.
func (p *port) leaveGoing() {
	if p.kay == nil {
		return
	}
	discard := func(in mka.Input) {
		p.out.Reset()
		_ = p.kay.Step(p.now(), in, &p.out)
	}
	discard(mka.LinkChanged{Up: false})
	for ckn := range p.given {
		discard(mka.ParticipantRemoved{CKN: ckn})
	}
	p.kay.Tick(p.now(), &p.out)
	p.out.Reset()
	p.kay = nil
}
