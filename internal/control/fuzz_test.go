package control_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mkad/internal/control"
	"mkad/internal/control/controltest"
)

// Any request, as it comes from the socket: it gets one JSON document as an answer, one that says what is wrong if
// something is; who has no right to changes nothing, and who has changes something by POST alone, once at most.
func FuzzRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte) {
		for name, uid := range map[string]uint32{"a stranger": 1000, "the daemon's own user": 100} {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(octets)))
			if err != nil {
				return // net/http answers it
			}
			d := &controltest.Daemon{}
			d.SetPorts(port("eth1", control.Secured))
			w := httptest.NewRecorder()
			control.HandlerFor(d, uid).ServeHTTP(w, r)
			checkAnswer(t, w)
			changes := len(d.Rekeyed()) + d.Reloads() + len(d.Backends())
			if changes > 1 || changes == 1 && (uid == 1000 || r.Method != http.MethodPost || w.Code != http.StatusOK) {
				t.Errorf("%s changes something %d times by %s %s, answered %d", name, changes, r.Method, r.URL, w.Code)
			}
		}
	})
}

// checkAnswer wants one JSON document, with a text if it is an error.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("answer %d is of type %q:\n%s", w.Code, kind, w.Body)
		return
	}
	answer := json.NewDecoder(w.Body)
	var document map[string]any
	if err := answer.Decode(&document); err != nil {
		t.Errorf("answer %d is no JSON object: %v", w.Code, err)
	}
	if text, _ := document["error"].(string); (w.Code == http.StatusOK) != (text == "") {
		t.Errorf("answer %d says %v", w.Code, document)
	}
	if err := answer.Decode(&document); !errors.Is(err, io.EOF) {
		t.Errorf("something follows the document: %v", err)
	}
}
