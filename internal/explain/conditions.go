package explain

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"mkad/eapol"
	"mkad/mka"
	"mkad/secy"
)

// conditions are all that can keep a port from being secured, in the order in which they are looked for.
var conditions = [...]condition{
	{Starting, starting},

	// What cannot be served.
	{Enslaved, failed(Enslaved)},
	{Unfit, failed(Unfit)},
	{Occupied, occupied},
	{NoPermission, failed(NoPermission)},
	{NoModule, failed(NoModule)},
	{NoBackend, failed(NoBackend)},
	{DeviceTaken, failed(DeviceTaken)},
	{Failed, failed(Failed)},

	// The lower device.
	{NoDevice, noDevice},
	{DeviceDown, deviceDown},
	{NoCarrier, noCarrier},

	// Keys and clock.
	{KeyFile, keyFile},
	{KeyNotYetValid, keyNotYetValid},
	{KeyExpired, keyExpired},

	// Sending.
	{MTUTooSmall, mtuTooSmall},
	{CannotSend, cannotSend},

	// Agreement with peers that are heard.
	{OwnFrames, ownFrames},
	{NoKeyServer, noKeyServer},
	{OffsetMismatch, offsetMismatch},
	{SuiteMismatch, suiteMismatch},
	{NoCapability, noCapability},
	{SecYRefuses, secYRefuses},
	{PeerSuspended, peerSuspended},
	{PeerSlow, peerSlow},
	{NoSAK, noSAK},

	// MKPDUs that are not accepted.
	{Unsynchronised, unsynchronised},
	{CKNFilled, cknFilled},
	{CKNText, cknText},
	{KeyNotValid, keyNotValid},
	{UnknownCKN, unknownCKN},
	{WrongCAK, wrongCAK},
	{BadSAK, badSAK},
	{OtherDestination, otherDestination},
	{Foreign, foreign},

	// What is not heard.
	{OneWay, oneWay},
	{PeerLost, peerLost},
	{StateUnreadable, stateUnreadable},
	{Handshake, handshake},
	{OnlyEAP, onlyEAP},
	{ForgedMAC, forgedMAC},
	{MKANotHeard, mkaNotHeard},
	{NothingHeard, nothingHeard},
}

func starting(e *Evidence) (why, remedy string) {
	if e.Started || e.Failure != nil {
		return "", ""
	}
	return "starting", ""
}

// failed is the condition of a port that cannot be served for that cause.
func failed(cause Cause) func(*Evidence) (why, remedy string) {
	return func(e *Evidence) (why, remedy string) {
		if e.Failure == nil || causeOf(e.Failure) != cause {
			return "", ""
		}
		return e.Failure.Error(), remedies[cause]
	}
}

// remedies are what to do about failures whose texts do not say it.
var remedies = map[Cause]string{
	NoPermission: "run mkad as root, or with CAP_NET_ADMIN and CAP_NET_RAW in the first user namespace",
	DeviceTaken:  "mkad makes it again; have whoever manages devices leave it alone",
}

// occupied is also looked for in a port that is served: a program that has come later.
func occupied(e *Evidence) (why, remedy string) {
	if e.Failure == nil && e.Occupied != nil {
		return e.Occupied.Error(), ""
	}
	return failed(Occupied)(e)
}

func noDevice(e *Evidence) (why, remedy string) {
	if e.Link.Exists {
		return "", ""
	}
	if e.Link.Real != "" {
		return fmt.Sprintf("%s is only another name of %s", e.Interface, e.Link.Real), fmt.Sprintf("write interface = %q", e.Link.Real)
	}
	return e.Interface + " does not exist", "it is used as soon as it appears"
}

func deviceDown(e *Evidence) (why, remedy string) {
	if e.Link.Up {
		return "", ""
	}
	return e.Interface + " is down", "ip link set " + e.Interface + " up"
}

func noCarrier(e *Evidence) (why, remedy string) {
	if e.Link.Carrier {
		return "", ""
	}
	return e.Interface + " has no carrier", "look at the cable and the other side"
}

func keyFile(e *Evidence) (why, remedy string) {
	if len(e.Keys.Valid)+len(e.Keys.Idle) > 0 {
		return "", ""
	}
	return e.Keys.Problem, ""
}

func keyNotYetValid(e *Evidence) (why, remedy string) {
	if len(e.Keys.Valid) > 0 || e.Keys.Next.IsZero() {
		return "", ""
	}
	return fmt.Sprintf("no key in %s is valid now, the next begins at %s", e.KeyFile, e.Keys.Next.UTC().Format(time.RFC3339)),
		"wait, look at the clock, or add a key that is valid now"
}

func keyExpired(e *Evidence) (why, remedy string) {
	if len(e.Keys.Valid) > 0 {
		return "", ""
	}
	return fmt.Sprintf("no key in %s is valid now, all have ended", e.KeyFile), "add one that is, on all members"
}

func mtuTooSmall(e *Evidence) (why, remedy string) {
	if !errors.Is(e.SendError, unix.EMSGSIZE) {
		return "", ""
	}
	return fmt.Sprintf("our MKPDU does not fit into the MTU of %s, which is %d", e.Interface, e.Link.MTU),
		fmt.Sprintf("raise it, for instance: ip link set %s mtu 1532", e.Interface)
}

func cannotSend(e *Evidence) (why, remedy string) {
	if e.SendError == nil {
		return "", ""
	}
	return fmt.Sprintf("MKPDUs cannot be sent on %s: %v", e.Interface, e.SendError), "look at the device and its queue"
}

func ownFrames(e *Evidence) (why, remedy string) {
	if _, seen := e.rejected(eapol.DiscardOwnSCI); !seen {
		return "", ""
	}
	return "our own MKPDUs come back, or another station has our MAC address", "look for a loop, and for cloned machines"
}

func noKeyServer(e *Evidence) (why, remedy string) {
	if !e.participant(func(p mka.ParticipantStatus) bool { return p.NoKeyServer }) {
		return "", ""
	}
	return "nobody may be key server: all sides have key_server_priority 255", "lower it on one, or set allow_priority_255 on all"
}

func offsetMismatch(e *Evidence) (why, remedy string) {
	_, now := e.apart(e.Suites)
	if _, always := e.apart(e.Configured); now && !always {
		return "no cipher suite in common with every peer goes with our confidentiality offset",
			`write confidentiality = "offset-0", or list GCM-AES-256 or GCM-AES-128 on all sides`
	}
	refused, seen := e.discarded(eapol.DiscardSAKPolicy)
	if !seen || !slices.Contains(e.Suites, refused.Suite) {
		return "", ""
	}
	return fmt.Sprintf("key server %s %s", refused.Peer, refused.Reason),
		`write confidentiality = "offset-0" there, or another backend here`
}

func suiteMismatch(e *Evidence) (why, remedy string) {
	const compare = "change cipher_suites on one side"
	if e.MKA.NoSuite != "" {
		return "no cipher suite suits all: " + e.MKA.NoSuite, compare
	}
	if q, found := e.apart(e.Suites); found {
		return fmt.Sprintf("%s has none of our cipher suites", q.SCI), compare
	}
	if refused, seen := e.discarded(eapol.DiscardSAKPolicy); seen {
		return fmt.Sprintf("key server %s %s", refused.Peer, refused.Reason), compare
	}
	if refused, seen := e.happened(mka.EventSuiteRefused); seen && e.live() > 0 {
		return fmt.Sprintf("%s takes no SAK for %s", refused.Peer, refused.Suite), compare
	}
	return "", ""
}

func noCapability(e *Evidence) (why, remedy string) {
	if e.live() == 0 || !e.participant(func(p mka.ParticipantStatus) bool { return p.Plain }) {
		return "", ""
	}
	q, found := e.peer(func(_ mka.ParticipantStatus, q mka.PeerStatus) bool {
		return q.Live && (!q.Desired || q.Capability == secy.CapabilityNone)
	})
	switch {
	case !found:
		return "the key server has decided that MACsec is not used", "look at the key server"
	case q.Capability == secy.CapabilityNone:
		return fmt.Sprintf("%s says that it cannot do MACsec", q.SCI), "look at its MACsec hardware and settings"
	}
	return fmt.Sprintf("%s says that it does not want MACsec", q.SCI), "have it want MACsec"
}

func secYRefuses(e *Evidence) (why, remedy string) {
	refused, seen := e.happened(mka.EventSecYFailed)
	if !seen {
		return "", ""
	}
	return "the SecY refused a key: " + refused.Reason, ""
}

func peerSuspended(e *Evidence) (why, remedy string) {
	const wait = "wait until it goes on"
	for _, p := range e.MKA.Participants {
		if p.Suspended > 0 {
			return fmt.Sprintf("the key server has suspended MKA, for another %v", p.Suspended.Round(time.Second)), wait
		}
	}
	q, found := e.peer(func(_ mka.ParticipantStatus, q mka.PeerStatus) bool { return q.SuspendFor > 0 })
	if !found {
		return "", ""
	}
	return fmt.Sprintf("%s asks for its MKA to be suspended for %v", q.SCI, q.SuspendFor), wait
}

// peerSlow does not hold of a peer that is heard, but with another key.
func peerSlow(e *Evidence) (why, remedy string) {
	if !e.relapsing() || e.otherKey() {
		return "", ""
	}
	return fmt.Sprintf("peers come and go: they are heard more rarely than every %v", e.LifeTime),
		"look at the load of the other side, and at what lies between"
}

// noSAK is the follower's side of it: MKA Life Time is as long as a key server may hold a SAK back.
func noSAK(e *Evidence) (why, remedy string) {
	for _, p := range e.MKA.Participants {
		if p.Principal && p.KeyServer != 0 && !e.MKA.KeyServer && len(e.MKA.Keys) == 0 && e.Late {
			return fmt.Sprintf("key server %s distributes no SAK", p.KeyServer), "look why there"
		}
	}
	return "", ""
}

// unknown is the last MKPDU with a CKN that none of our valid keys has.
func (e *Evidence) unknown() (mka.Event, bool) { return e.rejected(eapol.DiscardUnknownCKN) }

// unsynchronised suspects the clock where another key is used: that of a machine without a battery begins long ago.
func unsynchronised(e *Evidence) (why, remedy string) {
	theirs, seen := e.unknown()
	if !seen || !e.Keys.Unsynchronised {
		return "", ""
	}
	return fmt.Sprintf("%s uses CKN %s; none of our keys is valid by our clock, which is not synchronised, and an old one stays in use",
		theirs.MAC, theirs.CKN), "set the clock (timedatectl), or add a key that needs none: no start, no end"
}

func cknFilled(e *Evidence) (why, remedy string) {
	theirs, seen := e.unknown()
	for _, ours := range e.Keys.Valid {
		if seen && isFilled(theirs.CKN, ours) {
			return fmt.Sprintf("%s uses CKN %s, which is our %s but for zeros at its end", theirs.MAC, theirs.CKN, ours),
				"write the same octets on both sides: their number counts"
		}
	}
	return "", ""
}

func cknText(e *Evidence) (why, remedy string) {
	theirs, seen := e.unknown()
	for _, ours := range e.Keys.Valid {
		if seen && (isText(theirs.CKN, ours) || isText(ours, theirs.CKN)) {
			return fmt.Sprintf("%s uses CKN %s, and we %s: one is the text of the other's digits", theirs.MAC, theirs.CKN, ours),
				"write the CKN as hexadecimal digits on one side and not as text, or have both write the same octets"
		}
	}
	return "", ""
}

func keyNotValid(e *Evidence) (why, remedy string) {
	if p, q, found := e.onlyIdle(); found {
		return fmt.Sprintf("%s is live with CKN %s, which is in %s, but not valid now, and with no key that is", q.SCI, p.CKN, e.KeyFile),
			"give both sides the same keys, and compare the clocks"
	}
	theirs, seen := e.unknown()
	if !seen || !slices.Contains(e.Keys.Idle, theirs.CKN) {
		return "", ""
	}
	return fmt.Sprintf("%s uses CKN %s, which is in %s, but not valid now", theirs.MAC, theirs.CKN, e.KeyFile),
		"compare the clocks, and start and end of the key on both sides"
}

func unknownCKN(e *Evidence) (why, remedy string) {
	theirs, seen := e.unknown()
	if !seen {
		return "", ""
	}
	return fmt.Sprintf("%s uses CKN %s, which is not among the valid keys in %s", theirs.MAC, theirs.CKN, e.KeyFile),
		"use one CKN on both sides"
}

func wrongCAK(e *Evidence) (why, remedy string) {
	theirs, seen := e.rejected(eapol.DiscardICV)
	if !seen {
		return "", ""
	}
	return fmt.Sprintf("%s has CKN %s with another CAK", theirs.MAC, theirs.CKN), "use one CAK on both sides"
}

func badSAK(e *Evidence) (why, remedy string) {
	if bad, seen := e.discarded(eapol.DiscardSAKUnwrap); seen {
		return fmt.Sprintf("the SAK of key server %s does not unwrap", bad.Peer), "look at the key server"
	}
	if bad, seen := e.discarded(eapol.DiscardSAKReuse); seen {
		return fmt.Sprintf("key server %s distributes a SAK that was used before", bad.Peer), "look at the key server"
	}
	return "", ""
}

func otherDestination(e *Evidence) (why, remedy string) {
	bad, seen := e.rejected(eapol.DiscardDestination)
	if !seen {
		return "", ""
	}
	return fmt.Sprintf("EAPOL frames of %s go to %s, and ours to %s", bad.MAC, bad.DA, e.Destination),
		"write the same eapol_destination on both sides"
}

// malformed are the reasons to discard what is MKA, but not as we speak it.
var malformed = [...]eapol.Discard{eapol.DiscardAlgorithmAgility, eapol.DiscardEAPOLVersion, eapol.DiscardLength,
	eapol.DiscardBodyTooShort, eapol.DiscardBodyNotMultipleOf4, eapol.DiscardBasicLength,
	eapol.DiscardCKNLength, eapol.DiscardSetLength, eapol.DiscardPeerListLength, eapol.DiscardDistributedSAKLength,
	eapol.DiscardDistributedSAKSuite}

func foreign(e *Evidence) (why, remedy string) {
	for _, reason := range malformed {
		if bad, seen := e.rejected(reason); seen {
			return fmt.Sprintf("MKPDUs of %s are not as we take them: %s", bad.MAC, reason), "look at the other side"
		}
	}
	return "", ""
}

func oneWay(e *Evidence) (why, remedy string) {
	q, found := e.peer(func(_ mka.ParticipantStatus, q mka.PeerStatus) bool {
		return !q.Live && q.Known > e.LifeTime // who hears us answers within two hellos
	})
	if !found || e.live() > 0 {
		return "", ""
	}
	return fmt.Sprintf("%s is heard and does not hear us", q.SCI),
		"look at what lies between: a switch that filters, a cable or transceiver that is broken one way"
}

func peerLost(e *Evidence) (why, remedy string) {
	lost, seen := e.lost()
	if !seen || e.live()+e.potential() > 0 {
		return "", ""
	}
	return fmt.Sprintf("peer %s lost: %s", lost.Peer, lost.Reason), "look whether it runs, and what lies between"
}

// stateUnreadable holds while nothing is wrong but that the peers have to find us anew.
func stateUnreadable(e *Evidence) (why, remedy string) {
	under, _ := handshake(e)
	if e.StateLost == nil || under == "" {
		return "", ""
	}
	return "what the mkad before has kept cannot be read, so the peers find this one anew, within Life Time: " + e.StateLost.Error(),
		"it mends itself; if it comes again, give the state directory (mode 0700) and its files (mode 0600) to the user that mkad runs as"
}

func handshake(e *Evidence) (why, remedy string) {
	switch {
	case e.live() > 0:
		return "a peer is live, and the SAK is not in service yet", ""
	case e.potential() > 0:
		return "a peer is heard that has not listed us yet", ""
	case !e.Late && !e.heard():
		return "no peer has been heard yet", ""
	case e.Rekeyed:
		return "the keys have just changed, and no peer has been heard with them yet", ""
	}
	return "", ""
}

func onlyEAP(e *Evidence) (why, remedy string) {
	if _, seen := e.rejected(eapol.DiscardNotMKA); !seen {
		return "", ""
	}
	return "EAPOL is heard, but no MKA: the other side wants 802.1X (EAP) logins", "configure MKA with a pre-shared key there"
}

func forgedMAC(e *Evidence) (why, remedy string) {
	if !e.Link.Moved || e.Link.Virtual == "" || e.heard() {
		return "", ""
	}
	return fmt.Sprintf("nothing is heard on %s; it is %s with a MAC address that it was not born with, which a virtual switch "+
		"may take for forged", e.Interface, e.Link.Virtual), "allow forged transmits there, or give the device its own address back"
}

func mkaNotHeard(e *Evidence) (why, remedy string) {
	if e.Link.Frames == 0 || e.heard() {
		return "", ""
	}
	between := "a bridge"
	if e.Link.Virtual != "" {
		between = "the virtual switch behind " + e.Link.Virtual
	}
	return fmt.Sprintf("nothing of MKA is heard on %s, but other frames are (%d)", e.Interface, e.Link.Frames),
		fmt.Sprintf("start MKA on the other side, or have %s between forward %s (Linux: group_fwd_mask 8)", between, e.Destination)
}

func nothingHeard(e *Evidence) (why, remedy string) {
	return "nothing is heard on " + e.Interface,
		fmt.Sprintf("is MKA running on the other side, and do all bridges between let %s pass?", e.Destination)
}
