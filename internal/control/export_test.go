package control

import (
	"context"
	"log/slog"
	"net"
	"net/http"
)

const (
	MaxWatchers  = maxWatchers
	MaxBody      = maxBody
	QueueLen     = queueLen
	PollInterval = pollInterval
)

// NewClientDialing is NewClient over connections of the test's making.
func NewClientDialing(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	return newClient("/test.sock", dial)
}

// HandlerFor is the server without its socket, for a caller with these credentials. The daemon's own user is 100, the
// group mkad is 200.
func HandlerFor(d Daemon, uid uint32, groups ...uint32) http.Handler {
	s := NewServer(d, slog.New(slog.DiscardHandler))
	s.access = access{uid: 100, gid: 200, hasGroup: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.http.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer{uid: uid, groups: groups})))
	})
}

// PeerOf gives the user and all groups of whoever is at the other end.
func PeerOf(c *net.UnixConn) (uid uint32, groups []uint32, err error) {
	p, err := peerOf(c)
	return p.uid, p.groups, err
}

// NewGate is the listener of a server for so many clients.
func NewGate(l *net.UnixListener, clients int) net.Listener { return newGate(l, clients) }

// Share opens a socket to a group.
func Share(path, group string) error { return share(path, group) }

// PermitsWithoutGroup decides for a machine without the group mkad.
func PermitsWithoutGroup(own, uid uint32, groups ...uint32) bool {
	return access{uid: own}.permits(peer{uid: uid, groups: groups})
}
