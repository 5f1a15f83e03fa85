package mka

import (
	"cmp"
	"slices"

	"mkad/eapol"
	"mkad/keyderive"
	"mkad/secy"
)

// A key is a SAK with all that belongs to it.
type key struct {
	owner   *participant // in whose CA it was distributed
	ki      eapol.KI
	an      secy.AN
	suite   secy.CipherSuite
	offset  secy.ConfidentialityOffset
	sak     keyderive.SAK
	name    keyderive.Fingerprint // of sak
	salt    secy.Salt
	server  secy.SCI // who distributed it
	ssci    secy.SSCI
	members []member // all others that hold it
	nextPN  secy.PN  // of our transmit SA, as last reported
	lpn     secy.PN  // what we tell to be the lowest acceptable PN
	samples [8]pnSample
	sampled int // index of the newest
	bornAt  Time
	resumed bool // in service since an earlier process, which has taken the SAK with it
	failed  bool // the SecY did not obey an Op for it
	counted bool // exhaustion has already asked for its successor
	shown   bool // an MKPDU has reported it as Latest, receiving
}

// A member is another holder of a key.
type member struct {
	mi   eapol.MI
	sci  secy.SCI // 0: not heard yet
	ssci secy.SSCI
	// raised is the lowest acceptable PN of its receive SA that was last ordered for delay protection.
	raised secy.PN
}

// A pnSample is what nextPN was at a time.
type pnSample struct {
	pn secy.PN // 0: there is no sample
	at Time
}

// sampleGap is the least distance of samples that are kept: with it they reach back beyond a Bounded Hello Time.
const sampleGap = BoundedHelloTime / 5

// sample keeps nextPN as what it is now.
func (y *key) sample(now Time) {
	if last := &y.samples[y.sampled]; last.pn != 0 {
		if now < last.at.Add(sampleGap) {
			return
		}
		y.sampled = (y.sampled + 1) % len(y.samples)
	}
	y.samples[y.sampled] = pnSample{y.nextPN, now}
}

// lowestPN is the lowest acceptable PN that we tell (9.10): not the next one, but the next one of a hello ago, as far as it
// was sampled. Frames with numbers below the next are still on their way, and delay protection must not drop them. The
// more often it is sampled, and told, the shorter is the time for which a frame can be held back.
func (y *key) lowestPN(now Time) secy.PN {
	for _, s := range y.samples {
		if now >= s.at.Add(BoundedHelloTime-MinGap) {
			y.lpn = max(y.lpn, s.pn)
		}
	}
	return min(max(y.lpn, 1), y.suite.MaxPN())
}

func (y *key) has(sci secy.SCI) bool { return y.member(sci) != nil }

// isOf reports whether the key was distributed in the participant's CA, as far as that is known.
func (y *key) isOf(p *participant) bool { return y.owner == nil || y.owner.ckn == p.ckn }

// isFor reports whether the key was made for the peer: one that has taken another MI since may have it, too.
func (y *key) isFor(q *peer) bool {
	return slices.ContainsFunc(y.members, func(m member) bool { return m.mi == q.mi || m.sci == q.sci })
}

// member is the holder of the key with the SCI, nil if there is none.
func (y *key) member(sci secy.SCI) *member {
	for i := range y.members {
		if y.members[i].sci == sci {
			return &y.members[i]
		}
	}
	return nil
}

// assignSSCIs numbers the members of an XPN key by SCI, the greatest first, from 1 (802.1AE-2018 10.7.13), puts them in
// that order, and works out the salt. For other suites it does nothing.
func (y *key) assignSSCIs(own secy.SCI) {
	if !y.suite.XPN() {
		return
	}
	y.salt = secy.SaltOf(y.ki.KeyID())
	slices.SortFunc(y.members, func(a, b member) int { return cmp.Compare(b.sci, a.sci) })
	y.ssci = 1
	for i := range y.members {
		y.members[i].ssci = secy.SSCI(i + 1)
		if y.members[i].sci > own {
			y.ssci++
		} else {
			y.members[i].ssci++
		}
	}
}

// wipe forgets the key's SAK.
func (y *key) wipe() {
	if y != nil {
		y.sak.Wipe()
	}
}
