package control_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mkad/internal/control"
)

func TestUnreachableDaemonIsNamedWithARemedy(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	leaveStale(t, stale)
	for _, test := range []struct {
		name, socket string
		cause        error
		remedy       string
	}{
		{"no socket", filepath.Join(dir, "none.sock"), syscall.ENOENT, "--socket"},
		{"nobody listens", stale, syscall.ECONNREFUSED, "start mkad"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := control.NewClient(test.socket).Status(t.Context())
			var unreachable *control.UnreachableError
			if !errors.As(err, &unreachable) || !errors.Is(err, test.cause) {
				t.Fatalf("error is %v, want unreachable for %v", err, test.cause)
			}
			if !strings.Contains(err.Error(), test.socket) {
				t.Errorf("error %q does not name the socket", err)
			}
			if got := control.RemedyOf(err); !strings.Contains(got, test.remedy) {
				t.Errorf("remedy is %q, want %q in it", got, test.remedy)
			}
		})
	}
}

func TestSocketOfOthersIsAMatterOfPermission(t *testing.T) {
	err := &control.UnreachableError{Socket: "s", Err: syscall.EACCES}
	if got := control.RemedyOf(err); !strings.Contains(got, "group mkad") {
		t.Errorf("remedy is %q", got)
	}
}

// answering gives a client of something that gives the same answer to everything, and hangs up.
func answering(t *testing.T, answer string) *control.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "control.sock")
	l := mustListen(t, socket)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerOnce(c, answer)
		}
	}()
	c := control.NewClient(socket)
	t.Cleanup(c.Close)
	return c
}

func answerOnce(c net.Conn, answer string) {
	defer c.Close()
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		io.WriteString(c, answer)
	}
}

func TestStrangeAnswersAreErrors(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"another version", "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"version\":2,\"ports\":[]}", "version 2"},
		{"not JSON", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "read mkad's answer"},
		{"not mkad", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello", "502 Bad Gateway"},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "does not answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := answering(t, test.answer).Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestEndlessEventIsAnError(t *testing.T) {
	events, err := answering(t, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", 100<<10)).Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	if _, err := events.Next(); !errors.Is(err, bufio.ErrTooLong) {
		t.Errorf("error is %v, want that it is too long", err)
	}
}
