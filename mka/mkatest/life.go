package mkatest

import (
	"slices"
	"time"

	"mkad/mka"
	"mkad/secy"
)

// Crash ends the member's process before the n-th thing from now on that it does to the world outside of its KaY: keep
// its State, obey an Op, send a frame. What the SecY has stays, and goes on. With 1 it is the next.
func (m *Member) Crash(n int) { m.fuse = n }

// Dead reports whether the member's process has ended, by Crash or Kill.
func (m *Member) Dead() bool { return m.dead }

// Kill ends the member's process now.
func (m *Member) Kill() {
	m.dead = true
	m.rearm()
}

// acts reports whether the process is there to do one thing more.
func (m *Member) acts() bool {
	if m.fuse > 0 {
		if m.fuse--; m.fuse == 0 {
			m.Kill()
		}
	}
	return !m.dead
}

// Resume begins another process with the keys, which goes on where the last has ended if it can, and tells why it cannot.
// Without keep the SecY has gone with the process, as one in user space does.
func (m *Member) Resume(keep bool, keys ...mka.ParticipantAdded) error {
	kept, secY, pns := m.kept, m.SecY, m.SecY.PNs
	m.Restart()
	for _, in := range keys {
		m.MustStep(in)
	}
	if m.SecY.PNs = pns; keep { // the packet numbers of all that ever were count in any case
		m.SecY = secY
		m.SecY.SAs = slices.Clone(secY.SAs)
	}
	claims, err := m.KaY.Claims(m.now(), &kept)
	held := m.SecY.adopt(claims)
	m.tellLost(secY.SAs)
	if err != nil {
		m.MustStep(mka.LinkChanged{Up: true})
		return err
	}
	return m.Step(mka.Resumed{State: kept, Held: held})
}

// tellLost lets who watches orders know of the SAs that are no more.
func (m *Member) tellLost(before []SA) {
	for _, a := range before {
		if _, kept := m.SecY.Find(a.SCI, a.Key); !kept && m.lan.Order != nil {
			m.lan.Order(m, secy.Op{Kind: secy.OpDeleteSAs, Key: a.Key})
		}
	}
}

// keepGap is how old what was kept may be when a frame arrives, which makes it older.
const keepGap = 2500 * time.Millisecond

func (m *Member) keep() { m.kept, m.keptAt = m.KaY.State(), m.lan.Now }

// Kept is what was kept last for the member's next process.
func (m *Member) Kept() mka.State { return m.kept }

// Alter changes what was kept: what the member's next process finds.
func (m *Member) Alter(edit func(*mka.State)) { edit(&m.kept) }

// SendData has the Controlled Port send a frame, whether or not the process is alive.
func (m *Member) SendData() {
	for _, r := range m.sendData(nil) {
		m.MustStep(mka.SecYReported{Report: r})
	}
}

// Hears reports whether what from transmits with, if anything, can be received.
func (m *Member) Hears(from *Member) bool {
	sent, ok := from.SecY.Transmitting()
	if !ok || !from.SecY.Enabled {
		return true
	}
	got, ok := m.SecY.Find(from.cfg.SCI, sent.Key)
	return ok && got.On && got.SAK == sent.SAK && got.AN == sent.AN && got.SSCI == sent.SSCI
}

// disown takes everything out of use, as when a key of a new process is in service.
func (s *SecY) disown() {
	s.SAs, s.SCs, s.receiving, s.Tx, s.Enabled, s.open = nil, nil, nil, secy.KeyID{}, false, false
}

// adopt is what a SecY that was at work holds of claims. It keeps that, and nothing else.
func (s *SecY) adopt(claims []secy.Claim) (held []secy.Holding) {
	serving := false
	for _, c := range claims {
		h := s.holding(c)
		held, serving = append(held, h), serving || h.Transmitting
	}
	if !serving {
		s.disown()
		return nil
	}
	s.SCs = nil
	kept := func(key secy.KeyID) bool {
		return slices.ContainsFunc(held, func(h secy.Holding) bool { return h.Key == key && h.Complete })
	}
	for i, c := range claims {
		if !held[i].Complete {
			if !held[i].Used {
				delete(s.PNs, c.Key)
			}
			continue
		}
		for _, r := range c.Receive {
			if !slices.Contains(s.SCs, r.SCI) {
				s.SCs = append(s.SCs, r.SCI)
			}
		}
	}
	s.SAs = slices.DeleteFunc(s.SAs, func(a SA) bool { return !kept(a.Key) })
	s.receiving = slices.DeleteFunc(s.receiving, func(k secy.KeyID) bool { return !kept(k) })
	return held
}

func (s *SecY) holding(c secy.Claim) secy.Holding {
	h := secy.Holding{Key: c.Key, Complete: true, Receiving: true, Used: s.PNs[c.Key] > 1}
	tx, ok := s.Find(0, c.Key)
	h.Complete = ok && tx.AN == c.AN && tx.SSCI == c.SSCI
	for _, r := range c.Receive {
		rx, ok := s.Find(r.SCI, c.Key)
		h.Complete = h.Complete && ok && rx.AN == c.AN && rx.SSCI == r.SSCI
		h.Receiving = h.Receiving && rx.On
		h.Used = h.Used || rx.On
	}
	h.Receiving = h.Receiving && h.Complete
	h.Transmitting = h.Complete && s.Tx == c.Key
	return h
}
