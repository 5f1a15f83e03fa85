package explain

// A Cause is the verdict in one word: a closed list that serves status, log, documents and tests.
type Cause string

// The causes, in the order in which they are looked for. The empty one is that of a port that is secured.
const (
	Starting Cause = "starting" // the lower device has not been looked up yet

	// The port cannot be served.
	Enslaved     Cause = "enslaved"      // another device takes the frames of the lower device
	Unfit        Cause = "unfit"         // the lower device is none that MACsec can protect
	Occupied     Cause = "occupied"      // another program speaks 802.1X or MKA on the lower device
	NoPermission Cause = "no-permission" // mkad may not do what it needs to
	NoModule     Cause = "no-module"     // the kernel lacks a module
	NoBackend    Cause = "no-backend"    // nothing here can do what the port asks for
	DeviceTaken  Cause = "device-taken"  // somebody has taken the Controlled Port away
	Failed       Cause = "failed"        // something else; the reason says what

	// The lower device.
	NoDevice   Cause = "no-device"   // it does not exist
	DeviceDown Cause = "device-down" // it is administratively down
	NoCarrier  Cause = "no-carrier"

	// Keys and clock.
	KeyFile        Cause = "key-file"          // the CAK file cannot be read
	KeyNotYetValid Cause = "key-not-yet-valid" // every key begins later
	KeyExpired     Cause = "key-expired"       // every key has ended

	// Sending.
	MTUTooSmall Cause = "mtu-too-small" // MKPDUs do not fit into frames of the lower device
	CannotSend  Cause = "cannot-send"   // the lower device does not take MKPDUs

	// Agreement with peers that are heard.
	OwnFrames      Cause = "own-frames"      // our own MKPDUs come back
	NoKeyServer    Cause = "no-key-server"   // all have key server priority 255
	SuiteMismatch  Cause = "suite-mismatch"  // no cipher suite is in common
	OffsetMismatch Cause = "offset-mismatch" // no confidentiality offset is in common
	NoCapability   Cause = "no-capability"   // a side cannot do MACsec, or does not want it
	SecYRefuses    Cause = "secy-refuses"    // the SecY did not take a key
	PeerSuspended  Cause = "peer-suspended"  // the peer has suspended its MKA
	PeerSlow       Cause = "peer-slow"       // the peer is heard too rarely
	NoSAK          Cause = "no-sak"          // the key server distributes no SAK

	// MKPDUs that are not accepted.
	Unsynchronised   Cause = "clock-not-synchronised" // another key is used, and our clock is not to be trusted
	CKNFilled        Cause = "ckn-filled"             // the CKN is ours, but filled with zeros on one side
	CKNText          Cause = "ckn-text"               // the CKN is ours, but written as text on one side
	KeyNotValid      Cause = "key-not-valid"          // the CKN is in our file, but not valid now
	UnknownCKN       Cause = "unknown-ckn"
	WrongCAK         Cause = "wrong-cak"         // the CKN is ours, and the ICV fails
	BadSAK           Cause = "bad-sak"           // a SAK does not unwrap, or was used before
	OtherDestination Cause = "other-destination" // they go to another address than ours
	Foreign          Cause = "foreign"           // MKPDUs of a version, algorithm or form that is not ours

	// What is not heard.
	OneWay   Cause = "one-way"   // a peer is heard that does not hear us
	PeerLost Cause = "peer-lost" // the peer has fallen silent
	// StateUnreadable: what the mkad before has kept cannot be read, so the peers have to find this one anew.
	StateUnreadable Cause = "state-unreadable"
	Handshake       Cause = "handshake"     // nothing is wrong; it is under way
	ForgedMAC       Cause = "forged-mac"    // a virtual switch may take our address for forged
	OnlyEAP         Cause = "only-eap"      // EAPOL is heard, but no MKA
	MKANotHeard     Cause = "mka-not-heard" // other frames are heard, so something keeps MKA from us
	NothingHeard    Cause = "nothing-heard"
)
