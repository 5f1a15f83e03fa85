package kernel

// The numbers of linux/if_macsec.h and of the parts of rtnetlink that x/sys/unix does not have.

// Attributes of IFLA_INFO_DATA of a link of kind macsec. All but the SCI and the port are in host byte order.
const (
	linkKind = "macsec"

	linkSCI           = 1 // 8 octets in network order
	linkICVLen        = 3
	linkCipherSuite   = 4 // u64
	linkWindow        = 5 // u32
	linkEncodingSA    = 6
	linkEncrypt       = 7
	linkProtect       = 8
	linkIncludeSCI    = 9
	linkEndStation    = 10
	linkReplayProtect = 12
	linkValidation    = 13
	linkOffload       = 15
)

// The generic netlink family: its name and commands.
const (
	familyName    = "macsec"
	familyVersion = 1

	commandGet        = 0 // dump only
	commandAddRxSC    = 1
	commandDelRxSC    = 2
	commandAddTxSA    = 4
	commandDelTxSA    = 5
	commandUpdTxSA    = 6
	commandAddRxSA    = 7
	commandDelRxSA    = 8
	commandUpdRxSA    = 9
	commandUpdOffload = 10
)

// Top attributes of the family.
const (
	attrIfindex   = 1
	attrRxSC      = 2
	attrSA        = 3
	attrSecY      = 4
	attrTxSAs     = 5
	attrRxSCs     = 6
	attrTxSCStats = 7
	attrSecYStats = 8
	attrOffload   = 9

	offloadType = 1
)

// Attributes of attrSecY.
const (
	secySCI           = 1
	secyEncodingSA    = 2
	secyWindow        = 3 // only while replay protection is on
	secyCipherSuite   = 4
	secyICVLen        = 5
	secyProtect       = 6
	secyReplayProtect = 7
	secyOperational   = 8
	secyValidate      = 9
	secyEncrypt       = 10
	secyIncludeSCI    = 11
	secyEndStation    = 12
)

// Attributes of attrRxSC, and of each entry of attrRxSCs.
const (
	rxSCSCI    = 1
	rxSCActive = 2 // has no effect on reception in software: only that of the SA has
	rxSCSAs    = 3
	rxSCStats  = 4
)

// Attributes of attrSA, and of each entry of attrTxSAs and rxSCSAs.
const (
	saAN     = 1
	saActive = 2
	saPN     = 3 // u32, with an XPN suite u64
	saKey    = 4 // never read back
	saKeyID  = 5
	saSSCI   = 8 // 4 octets in network order
	saSalt   = 9 // never read back
)

// Attributes of the statistics, each a u64.
const (
	txSCOutPktsProtected   = 1
	txSCOutPktsEncrypted   = 2
	txSCOutOctetsProtected = 3
	txSCOutOctetsEncrypted = 4

	secyOutPktsUntagged  = 1
	secyInPktsUntagged   = 2
	secyOutPktsTooLong   = 3
	secyInPktsNoTag      = 4
	secyInPktsBadTag     = 5
	secyInPktsUnknownSCI = 6
	secyInPktsNoSCI      = 7
	secyInPktsOverrun    = 8

	rxSCInOctetsValidated = 1
	rxSCInOctetsDecrypted = 2
	rxSCInPktsUnchecked   = 3
	rxSCInPktsDelayed     = 4
	rxSCInPktsOK          = 5
	rxSCInPktsInvalid     = 6
	rxSCInPktsLate        = 7
	rxSCInPktsNotValid    = 8
	rxSCInPktsNotUsingSA  = 9
	rxSCInPktsUnusedSA    = 10
)

// Of rtnetlink.
const (
	operDormant = 5 // IF_OPER_DORMANT
	operUp      = 6 // IF_OPER_UP

	linkModeDefault = 0 // IF_LINK_MODE_DEFAULT
	linkModeDormant = 1 // IF_LINK_MODE_DORMANT: with carrier the device is dormant, until somebody says up

	attrNexthopID = 30 // RTA_NH_ID

	vlanReorderHeader = 1 // VLAN_FLAG_REORDER_HDR
)

// The limits of what the kernel keeps.
const (
	numANs      = 4         // SAs of an SC (7.1.3)
	standardICV = 16        // octets, with every suite of clause 14
	xpnWindow   = 1<<30 - 1 // the kernel's bound for the XPN suites
)

// maxReceiveSCs bounds the receive SCs of a Device: a dump lists no SecY that does not fit into its 32 KiB with all its
// SAs, about 88 peers with two receive SAs each, and then what the SecY holds cannot be read.
const maxReceiveSCs = 80
