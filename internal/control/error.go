package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"
)

// An Error is the answer to a request that failed. A Daemon may return one to add a remedy.
type Error struct {
	Status int    `json:"-"` // of HTTP; 0 stands for 409 Conflict
	Text   string `json:"error"`
	Remedy string `json:"remedy,omitempty"` // what to try next
}

// Error is the text, without the remedy.
func (e *Error) Error() string { return e.Text }

// An UnknownPortError says that no port has that name. It becomes a 404 that lists those there are.
type UnknownPortError struct {
	Port  string
	Known []string // lower devices of the configured ports
}

// Error names the port; [UnknownPortError.Remedy] names those there are.
func (e *UnknownPortError) Error() string { return fmt.Sprintf("no port is called %q", e.Port) }

// Remedy lists the ports that can be named instead.
func (e *UnknownPortError) Remedy() string {
	if len(e.Known) == 0 {
		return "add a [[port]] to mkad.toml, then: mkactl reload"
	}
	return "name one of: " + strings.Join(e.Known, ", ")
}

// errorOf finds the answer for whatever a handler or the daemon has returned.
func errorOf(err error) Error {
	var answer *Error
	var unknown *UnknownPortError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &answer):
		return answer.filled()
	case errors.As(err, &unknown):
		return Error{http.StatusNotFound, err.Error(), unknown.Remedy()}
	case errors.As(err, &tooBig):
		return Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("read request: longer than %d octets", tooBig.Limit),
			"send no body: no request needs one"}
	}
	return Error{Status: http.StatusConflict, Text: err.Error()}
}

func (e *Error) filled() Error {
	filled := *e
	if filled.Status == 0 {
		filled.Status = http.StatusConflict
	}
	return filled
}

// An UnreachableError says that no daemon answers at the socket.
type UnreachableError struct {
	Socket string
	Err    error // of the system call or the connection
}

// Error names the socket and the cause.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("mkad does not answer at %s: %v", e.Socket, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Remedy tells what to try, by the cause.
func (e *UnreachableError) Remedy() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return "run this as root, or as a member of the group " + Group
	case errors.Is(e.Err, fs.ErrNotExist):
		return "start mkad, or name its socket (control in mkad.toml) with --socket"
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "start mkad: it has left its socket behind"
	}
	return "look at mkad's log, and whether it runs"
}

// RemedyOf finds what to try next after an error of this package; "" if there is nothing to say.
func RemedyOf(err error) string {
	var answer *Error
	var advised interface{ Remedy() string }
	switch {
	case errors.As(err, &answer):
		return answer.Remedy
	case errors.As(err, &advised):
		return advised.Remedy()
	}
	return ""
}
