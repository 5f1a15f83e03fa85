// Package mka is the MACsec Key Agreement machine of IEEE 802.1X-2020 clause 9: a [KaY] for one port, with its
// Participants, its CP state machine and its key bookkeeping.
//
// The machine waits for nothing. It reads no clock, opens no socket, starts no goroutine and draws randomness only from
// Config.Rand: the same inputs at the same times with the same random octets give the same outputs, byte for byte.
// Whoever drives it owns those things:
//
//	k, err := mka.New(cfg)
//	var out mka.Output
//	for {
//		select {
//		case in := <-inputs: // a frame, a link change, a report of the SecY, an order of the operator
//			out.Reset()
//			err = k.Step(now(), in, &out)
//		case <-timer.C:
//			out.Reset()
//			k.Tick(now(), &out)
//		}
//		for _, op := range out.Ops {
//			reports = append(reports, secY.Apply(op)...) // each goes back in by Step
//		}
//		for _, frame := range out.Frames {
//			socket.Write(frame)
//		}
//		publish(out.Events)
//		if at, ok := k.Deadline(); ok {
//			timer.Reset(at - now())
//		}
//	}
//
// The order is the driver's duty: obey Ops, send Frames, publish Events, re-arm one timer. An Op's success comes back as
// a Report, and CP moves on that, never on hope. A PN Report delivered shortly before a Deadline keeps the lowest
// acceptable PNs that go out in MKPDUs fresh, which DelayProtected asks for.
//
// An error from Step means that the driver misused it. A bad MKPDU is no error: it is an Event with a Discard reason,
// and it changes nothing else. Received octets never panic; broken invariants do.
//
// A process that is to go on where it ended keeps KaY.State before it obeys the Ops and sends the frames of an Output. The
// next one makes a KaY, adds the participants, asks the SecY for Claims, and begins with Resumed.
//
// A KaY is not safe for concurrent use. Clauses are those of 802.1X-2020 unless said otherwise.
package mka
