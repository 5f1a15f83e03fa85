package mka

import (
	"cmp"
	"math"
	"time"
)

// Time is monotonic time in nanoseconds since an arbitrary start. It never goes backwards within a KaY.
type Time int64

// Add returns the time d later.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// never is later than every deadline.
const never Time = math.MaxInt64

// The times of Table 9-3 and of CP (12.4).
const (
	HelloTime        = 2 * time.Second        // between MKPDUs of one participant
	BoundedHelloTime = 500 * time.Millisecond // the same while delay protection is in use
	LifeTime         = 6 * time.Second        // of a peer that is not heard; least distance of SAKs; transmitDelay
	SAKRetireTime    = 3 * time.Second        // retireDelay: how long the old receive SAs stay
)

// Times of our own.
const (
	// MinGap is the least distance of two MKPDUs of one participant, so that members who answer each other at once do not
	// storm the LAN.
	MinGap = 20 * time.Millisecond
	// SuiteTime is how long a live peer may leave a SAK unreported before the next cipher suite is offered, if it has
	// answered since.
	SuiteTime = 3 * time.Second
	// InstallRetryTime is the least distance of new attempts after the SecY has refused a key; it doubles up to
	// InstallRetryMax.
	InstallRetryTime = 2 * time.Second
	InstallRetryMax  = 64 * time.Second
	// PleaTime is how long a key server of MKA version 1 may have us for live and give us no SAK before we become a new
	// member to it, at most once in PleaGap.
	PleaTime = 8 * time.Second
	PleaGap  = 30 * time.Second
	// newMIGap is the least distance of two changes of our MI that others can provoke.
	newMIGap = time.Second
)

// helloTime and lifeTime are those of the port.
func (k *KaY) helloTime() time.Duration { return cmp.Or(k.cfg.HelloTime, HelloTime) }
func (k *KaY) lifeTime() time.Duration  { return cmp.Or(k.cfg.LifeTime, LifeTime) }

// ramp is the distance of the first hellos after a participant starts: whoever comes up second is found at once.
var ramp = [...]time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond,
	800 * time.Millisecond}

// Deadline is the earliest time at which Tick would act; false: there is nothing to wait for.
func (k *KaY) Deadline() (Time, bool) {
	at := never
	if k.linkUp {
		for _, p := range k.participants {
			at = min(at, p.deadline())
		}
		at = min(at, k.cp.deadline(), k.serverDeadline(), k.principalAt)
	}
	return at, at != never
}

// deadline is the earliest of the participant's next MKPDU and its peers' ends.
func (p *participant) deadline() Time {
	at := min(p.sendAt(), p.pleaAt())
	if p.missing.until != 0 {
		at = min(at, p.missing.until)
	}
	if p.suspension.on {
		at = min(at, p.suspension.until)
	}
	for i := range p.peers {
		at = min(at, p.peers[i].expiresAt)
	}
	return at
}
