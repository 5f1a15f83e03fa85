package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// A Daemon is what the server asks and orders. Every method is called from many goroutines at once, and none may wait
// for a client. A [Feed] embedded in it supplies Subscribe.
type Daemon interface {
	// Status says how every port stands.
	Status() Document
	// Counters reads the counters of every port.
	Counters() CountersDocument
	// Explain says of every port why it is not secured.
	Explain() ExplainDocument
	// Rekey has a new SAK made for the port of that name (of its lower device or Controlled Port); UnknownPortError if
	// there is none.
	Rekey(port string) error
	// Plan says what Reload would do now, and changes nothing; it fails as Reload would.
	Plan() (PlanDocument, error)
	// Reload reads the configuration again; an error leaves what was running untouched. Without force it refuses what would
	// cost a Controlled Port something that cannot be put back (PortPlan.Losses). It says what it has done.
	Reload(force bool) (PlanDocument, error)
	// ChangeBackend has the port of that name served by another backend, by its name in the configuration, until mkad starts
	// again or a reload finds another. force is as for Reload.
	ChangeBackend(port, backend string, force bool) error
	// Subscribe begins to collect events; the server closes the subscription.
	Subscribe() *Subscription
}

// The limits of the server. Only root and the group mkad reach it: they bound mistakes rather than attacks.
const (
	maxClients     = 256              // connections served at once; later ones wait
	maxWatchers    = 128              // of these, streams of events, so that an ordinary request always finds room
	maxBody        = 4 << 10          // octets; no request needs a body
	maxHeader      = 8 << 10          // octets
	headerTimeout  = 5 * time.Second  // for a request's header
	requestTimeout = 10 * time.Second // for all of a request, and again for its answer
	idleTimeout    = 2 * time.Second  // between requests of one connection
)

// A Server serves the control socket. Its methods may be called from any goroutine.
type Server struct {
	daemon   Daemon
	log      *slog.Logger
	access   access
	watchers chan struct{} // holds a token for each stream of events
	http     http.Server
	stop     context.CancelFunc // ends every stream of events
}

// NewServer makes a server for d. What changes something is logged with who asked for it.
func NewServer(d Daemon, log *slog.Logger) *Server {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{daemon: d, log: log, access: defaultAccess(), watchers: make(chan struct{}, maxWatchers), stop: stop}
	s.http = http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withPeer,

		DisableGeneralOptionsHandler: true, // it answers without a document
	}
	return s
}

// Serve answers on l, which it owns from here on, until Shutdown; then it returns nil.
func (s *Server) Serve(l *net.UnixListener) error {
	err := s.http.Serve(newGate(l, maxClients))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve control socket: %w", err)
}

// Shutdown removes the socket, ends the streams of events, and waits for requests that are under way as long as ctx
// allows; then it hangs up.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, c.(*client).peer)
}

// A handler answers a request, or returns why not before it has written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range [...]struct {
		method, path string
		serve        handler
	}{
		{http.MethodGet, "/v1/status", s.status},
		{http.MethodGet, "/v1/counters", s.counters},
		{http.MethodGet, "/v1/explain", s.explain},
		{http.MethodGet, "/v1/plan", s.plan},
		{http.MethodGet, "/v1/events", s.events},
		{http.MethodPost, "/v1/ports/{port}/rekey", s.privileged(s.rekey)},
		{http.MethodPost, "/v1/ports/{port}/backend", s.privileged(s.backend)},
		{http.MethodPost, "/v1/reload", s.privileged(s.reload)},
	} {
		mux.Handle(r.method+" "+r.path, r.serve)
		mux.Handle(r.path, notAllowed(r.method))
	}
	mux.Handle("/", handler(notFound))
	return plain(mux)
}

// plain keeps from the mux what it would answer by itself, with a redirection or a text: nobody who means one of our
// paths writes it otherwise.
func plain(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; r.Method == http.MethodConnect || !strings.HasPrefix(p, "/") || path.Clean(p) != p {
			handler(notFound).ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ServeHTTP reads the body, which must be small, lets the handler answer, and answers errors itself.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = h(w, r)
	}
	if err != nil {
		answer := errorOf(err)
		writeJSON(w, answer.Status, answer)
	}
}

func notAllowed(method string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", method)
		return &Error{http.StatusMethodNotAllowed, fmt.Sprintf("%s is not for %s", r.URL.Path, r.Method), "use " + method}
	}
}

func notFound(_ http.ResponseWriter, r *http.Request) error {
	return &Error{http.StatusNotFound, "there is no " + r.URL.Path,
		"ask for /v1/status, /v1/counters, /v1/explain, /v1/plan, /v1/events, /v1/ports/{port}/rekey, /v1/ports/{port}/backend or " +
			"/v1/reload"}
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	d := s.daemon.Status()
	ports, err := named(d.Ports, r.URL.Query()["port"])
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Document{Version, ports})
	return nil
}

func (s *Server) counters(w http.ResponseWriter, r *http.Request) error {
	d := s.daemon.Counters()
	ports, err := named(d.Ports, r.URL.Query()["port"])
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, CountersDocument{Version, ports})
	return nil
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	d := s.daemon.Explain()
	ports, err := named(d.Ports, r.URL.Query()["port"])
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, ExplainDocument{Version, ports})
	return nil
}

func (s *Server) plan(w http.ResponseWriter, _ *http.Request) error {
	d, err := s.daemon.Plan()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// A nameable is a part of a document about one port.
type nameable interface {
	names() (lower, controlled string)
}

// named keeps the ports that are wanted; with none wanted, all. A name that is the Controlled Port of one and the lower
// device of another means both.
func named[T nameable](ports []T, wanted []string) ([]T, error) {
	if len(wanted) == 0 {
		return ports, nil
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(ports, func(p T) bool { return isNamed(p, w) }) {
			return nil, &UnknownPortError{Port: w, Known: lowerDevices(ports)}
		}
	}
	unwanted := func(p T) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return isNamed(p, w) })
	}
	return slices.DeleteFunc(slices.Clone(ports), unwanted), nil
}

func lowerDevices[T nameable](ports []T) []string {
	names := make([]string, 0, len(ports))
	for _, p := range ports {
		lower, _ := p.names()
		names = append(names, lower)
	}
	return names
}

// isNamed reports whether name is that of the port's lower device or of its Controlled Port.
func isNamed(p nameable, name string) bool {
	lower, controlled := p.names()
	return name == lower || name == controlled
}

// events streams until the client hangs up or the server stops. A client that does not read costs a queue and a
// goroutine that waits, both bounded; it is told what it has missed once it reads again.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.watchers <- struct{}{}:
		defer func() { <-s.watchers }()
	default:
		return &Error{http.StatusServiceUnavailable, fmt.Sprintf("%d watchers are connected already", maxWatchers),
			"end one of them (mkactl watch)"}
	}
	events := s.daemon.Subscribe()
	defer events.Close()
	conn := http.NewResponseController(w)
	if err := endless(conn); err != nil {
		return err
	}
	defer context.AfterFunc(r.Context(), func() { _ = conn.SetWriteDeadline(time.Now()) })() // ends a stuck write
	w.Header().Set("Content-Type", "application/x-ndjson")
	stream(r.Context(), w, conn, events)
	return nil
}

// endless takes the deadlines of an ordinary request away.
func endless(conn *http.ResponseController) error {
	if err := errors.Join(conn.SetReadDeadline(time.Time{}), conn.SetWriteDeadline(time.Time{})); err != nil {
		return &Error{http.StatusInternalServerError, fmt.Sprintf("lift deadlines: %v", err), ""}
	}
	return nil
}

// stream writes events one a line. The header goes out at once: it tells the client that nothing is lost from here on.
func stream(ctx context.Context, w io.Writer, conn *http.ResponseController, events *Subscription) {
	lines := json.NewEncoder(w)
	for conn.Flush() == nil {
		e, err := events.Next(ctx)
		if err != nil || lines.Encode(e) != nil {
			return
		}
	}
}

func (s *Server) rekey(w http.ResponseWriter, r *http.Request) error {
	if err := s.daemon.Rekey(r.PathValue("port")); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

func (s *Server) backend(w http.ResponseWriter, r *http.Request) error {
	force, err := isForced(r)
	if err != nil {
		return err
	}
	if err := s.daemon.ChangeBackend(r.PathValue("port"), r.URL.Query().Get("name"), force); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, struct{}{})
	return nil
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	force, err := isForced(r)
	if err != nil {
		return err
	}
	d, err := s.daemon.Reload(force)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// isForced reads the parameter force, which is true or false, and false if it is not there.
func isForced(r *http.Request) (bool, error) {
	switch text := r.URL.Query().Get("force"); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, &Error{http.StatusBadRequest, fmt.Sprintf("force is %q", text), "say force=true or force=false"}
	}
}

// privileged lets only those do it whom access permits, and logs who asked.
func (s *Server) privileged(do handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		p := r.Context().Value(peerKey{}).(peer)
		log := s.log.With("request", strings.TrimPrefix(r.URL.Path, "/v1/"), "uid", p.uid, "pid", p.pid)
		if !s.access.permits(p) {
			log.Warn("control request refused", "event", "control-refused")
			return &Error{http.StatusForbidden, fmt.Sprintf("user id %d may look but not change anything", p.uid),
				"run this as root, or as a member of the group " + Group}
		}
		log.Info("control request", "event", "control-request")
		err := do(w, r)
		if err != nil {
			log.Warn("control request failed", "event", "control-failed", "error", err)
		}
		return err
	}
}

// writeJSON answers. An error means that the client has gone, and nobody is left to be told.
func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}
