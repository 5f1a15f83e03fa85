package secy

import "fmt"

// A ReportKind names one thing that a SecY can tell.
type ReportKind uint8

// What a SecY tells its KaY.
const (
	// ReportReceiving: every receive SA of Key is in use (usingReceiveSAs of CP).
	ReportReceiving ReportKind = iota + 1
	// ReportTransmitting: frames go out with Key (usingTransmitSA of CP).
	ReportTransmitting
	// ReportFailed: Op was not obeyed, for the reason Err.
	ReportFailed
	// ReportPN: PN is the next packet number of the transmit SA of Key; a sample, so never above the true one.
	ReportPN
	// ReportExhausted: the transmit SA of Key has used its last packet number and stopped.
	ReportExhausted
)

var reportNames = [...]string{"", "Receiving", "Transmitting", "Failed", "PN", "Exhausted"}

// String is the report's name.
func (k ReportKind) String() string {
	if int(k) < len(reportNames) && k > 0 {
		return reportNames[k]
	}
	return fmt.Sprintf("ReportKind(%d)", uint8(k))
}

// A Report is what a SecY tells its KaY: plain comparable data.
type Report struct {
	Kind ReportKind
	Key  KeyID
	PN   PN     // ReportPN
	Op   OpKind // ReportFailed: which order
	SCI  SCI    // ReportFailed: of which receive SC; 0: of none
	Err  string // ReportFailed: why, for people
}

// String prints the fields that count for the kind.
func (r Report) String() string {
	switch r.Kind {
	case ReportPN:
		return fmt.Sprintf("PN key=%s pn=%d", r.Key, r.PN)
	case ReportFailed:
		return fmt.Sprintf("Failed op=%s key=%s err=%q", r.Op, r.Key, r.Err)
	}
	return fmt.Sprintf("%s key=%s", r.Kind, r.Key)
}
