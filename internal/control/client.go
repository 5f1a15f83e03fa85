package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// The limits of the client: what a daemon with some thousand ports may say, and the longest event.
const (
	maxAnswer = 16 << 20 // octets
	maxLine   = 64 << 10 // octets
)

// A Client talks to a running mkad. Its methods may be called from any goroutine. They fail with *UnreachableError when
// no daemon answers before the context ends, and with *Error when it refuses.
type Client struct {
	socket string
	http   http.Client
}

// NewClient makes a client for the control socket at that path. It connects with the first request.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return newClient(socket, dial)
}

func newClient(socket string, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Close drops connections that are kept for the next request.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the named ports stand; without names, all.
func (c *Client) Status(ctx context.Context, ports ...string) (Document, error) {
	var d Document
	err := c.ask(ctx, http.MethodGet, "/v1/status"+query(ports), &d)
	if err == nil {
		err = checkVersion(d.Version)
	}
	return d, err
}

// Counters reads the counters of the named ports; without names, of all.
func (c *Client) Counters(ctx context.Context, ports ...string) (CountersDocument, error) {
	var d CountersDocument
	err := c.ask(ctx, http.MethodGet, "/v1/counters"+query(ports), &d)
	if err == nil {
		err = checkVersion(d.Version)
	}
	return d, err
}

// Explain asks why the named ports are not secured; without names, all.
func (c *Client) Explain(ctx context.Context, ports ...string) (ExplainDocument, error) {
	var d ExplainDocument
	err := c.ask(ctx, http.MethodGet, "/v1/explain"+query(ports), &d)
	if err == nil {
		err = checkVersion(d.Version)
	}
	return d, err
}

// Rekey has a new SAK made for a port. It returns when the daemon has begun.
func (c *Client) Rekey(ctx context.Context, port string) error {
	return c.ask(ctx, http.MethodPost, "/v1/ports/"+url.PathEscape(port)+"/rekey", &struct{}{})
}

// Plan asks what a reload would do now.
func (c *Client) Plan(ctx context.Context) (PlanDocument, error) {
	var d PlanDocument
	err := c.ask(ctx, http.MethodGet, "/v1/plan", &d)
	if err == nil {
		err = checkVersion(d.Version)
	}
	return d, err
}

// Reload has the configuration read again, and gives what was done. Without force it is refused where a Controlled Port would
// lose something. A daemon of another version may not say what it has done: the Version is then not that of this package.
func (c *Client) Reload(ctx context.Context, force bool) (PlanDocument, error) {
	var d PlanDocument
	err := c.ask(ctx, http.MethodPost, "/v1/reload?"+forced(force).Encode(), &d)
	return d, err
}

// ChangeBackend has a port served by another backend, as Daemon.ChangeBackend does.
func (c *Client) ChangeBackend(ctx context.Context, port, backend string, force bool) error {
	parameters := forced(force)
	parameters.Set("name", backend)
	return c.ask(ctx, http.MethodPost, "/v1/ports/"+url.PathEscape(port)+"/backend?"+parameters.Encode(), &struct{}{})
}

func forced(force bool) url.Values { return url.Values{"force": {strconv.FormatBool(force)}} }

// Events begins to watch. Every event after its return is in the stream, or counted as missed.
func (c *Client) Events(ctx context.Context) (*EventStream, error) {
	r, err := c.do(ctx, http.MethodGet, "/v1/events")
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxLine)
	return &EventStream{socket: c.socket, body: r.Body, lines: lines}, nil
}

// An EventStream is a watch under way. One goroutine at a time may use it.
type EventStream struct {
	socket string
	body   io.ReadCloser
	lines  *bufio.Scanner
}

// Next waits for an event. It fails with *UnreachableError when the daemon has hung up or the context has ended.
func (s *EventStream) Next() (Event, error) {
	if !s.lines.Scan() {
		return Event{}, &UnreachableError{s.socket, hungUp(s.lines.Err())}
	}
	var e Event
	if err := json.Unmarshal(s.lines.Bytes(), &e); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	return e, nil
}

// Close ends the watch.
func (s *EventStream) Close() { s.body.Close() }

// hungUp is the cause of the end of a stream, which may come in the middle of a line.
func hungUp(err error) error {
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it has closed the connection")
	}
	return err
}

func (c *Client) ask(ctx context.Context, method, path string, answer any) error {
	r, err := c.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("read mkad's answer: %w", err)
	}
	return nil
}

// do sends a request and gives the answer if it is a good one; the caller closes its body.
func (c *Client) do(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://mkad"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask mkad: %w", err)
	}
	r, err := c.http.Do(request)
	if err != nil {
		return nil, &UnreachableError{c.socket, rootOf(err)}
	}
	if r.StatusCode != http.StatusOK {
		defer r.Body.Close()
		return nil, refusal(r)
	}
	return r, nil
}

// rootOf takes off what http and net put around the error of the system call: it repeats what the caller says better.
func rootOf(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return err
}

func refusal(r *http.Response) error {
	answer := &Error{Status: r.StatusCode}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(answer); err != nil || answer.Text == "" {
		return &Error{r.StatusCode, "mkad answers " + r.Status, "see whether another program listens on this socket"}
	}
	return answer
}

func query(ports []string) string {
	if len(ports) == 0 {
		return ""
	}
	return "?" + url.Values{"port": ports}.Encode()
}

func checkVersion(v int) error {
	if v != Version {
		return &Error{Text: fmt.Sprintf("mkad speaks version %d of its documents, this program version %d", v, Version),
			Remedy: "use the mkactl that came with this mkad"}
	}
	return nil
}
