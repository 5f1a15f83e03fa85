package offload

import (
	"errors"
	"fmt"
	"strings"

	"mkad/secy"
)

// ErrUnavailable is the error of Choose when nothing that may be chosen can serve the port.
var ErrUnavailable = errors.New("backend not available")

// A Choice is the backend that a port gets.
type Choice struct {
	Backend Backend            // never BackendAuto
	Suites  []secy.CipherSuite // those of the Need that the backend can do, most wanted first; never empty
	Reason  string             // why this one, for people
}

// Choose picks the backend for a port. BackendAuto takes the best offer that can serve: it may lack some of the suites
// in need, as they are a list of what is allowed, but never the offset. Any other want is taken or refused. The error
// wraps ErrUnavailable and says what is missing for each backend that might have been. Nothing is kept of the
// arguments.
func Choose(want Backend, need Need, offers []Offer) (Choice, error) {
	var passed []string
	for b := BackendMAC; b <= BackendUserspace; b++ {
		if want != BackendAuto && want != b {
			continue
		}
		o, found := find(b, offers)
		if !found {
			continue
		}
		if why := o.refusal(need); why != "" {
			passed = append(passed, fmt.Sprintf("%s: %s", b, why))
			continue
		}
		return Choice{Backend: b, Suites: o.suites(need.Suites, need.Offset), Reason: reason(want, passed)}, nil
	}
	return Choice{}, unavailable(want, passed, offers)
}

func find(b Backend, offers []Offer) (Offer, bool) {
	for _, o := range offers {
		if o.Backend == b {
			return o, true
		}
	}
	return Offer{}, false
}

// reason explains a choice by what had to be passed over for it.
func reason(want Backend, passed []string) string {
	switch {
	case want != BackendAuto:
		return "configured"
	case len(passed) == 0:
		return "best on offer"
	}
	return "best on offer; not " + strings.Join(passed, "; not ")
}

func unavailable(want Backend, passed []string, offers []Offer) error {
	if len(passed) > 0 {
		return &unavailableError{fmt.Sprintf("choose backend %q: %v: %s", want, ErrUnavailable, strings.Join(passed, "; ")),
			causes(want, offers)}
	}
	if len(offers) == 0 {
		return fmt.Errorf("choose backend %q: %w: this mkad has no SecY at all", want, ErrUnavailable)
	}
	return fmt.Errorf("choose backend %q: %w: this mkad does not have it; set backend to %s", want, ErrUnavailable,
		offered(offers))
}

// offered lists the names that a configuration could use instead.
func offered(offers []Offer) string {
	s := fmt.Sprintf("%q", BackendAuto)
	for _, o := range offers {
		s += fmt.Sprintf(" or %q", o.Backend)
	}
	return s
}

// unavailableError says that no backend will do, and has what the system said of those that were passed over.
type unavailableError struct {
	text   string
	causes []error
}

// Error is all that was passed over, with its remedy.
func (e *unavailableError) Error() string { return e.text }

// Unwrap gives ErrUnavailable and the causes.
func (e *unavailableError) Unwrap() []error { return append([]error{ErrUnavailable}, e.causes...) }

func causes(want Backend, offers []Offer) (all []error) {
	for _, o := range offers {
		if o.Err != nil && (want == BackendAuto || want == o.Backend) {
			all = append(all, o.Err)
		}
	}
	return all
}
