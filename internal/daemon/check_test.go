package daemon

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// Clause: none; design: what root finds good, and the service could not read, is told before it is started
func TestCAKFileThatTheServiceCannotReadIsWarnedOf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "eth1.toml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uid, gid, other := fmt.Sprint(os.Geteuid()), fmt.Sprint(os.Getegid()), "4000000000"
	for _, c := range []struct {
		service *user.User
		mode    os.FileMode
		want    bool
	}{
		{nil, 0o600, false},
		{&user.User{Username: "mkad", Uid: uid, Gid: other}, 0o600, false},
		{&user.User{Username: "mkad", Uid: uid, Gid: other}, 0o200, true},
		{&user.User{Username: "mkad", Uid: other, Gid: gid}, 0o640, false},
		{&user.User{Username: "mkad", Uid: other, Gid: gid}, 0o600, true},
		{&user.User{Username: "mkad", Uid: other, Gid: other}, 0o640, true},
	} {
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		got := unreadable(file, c.service)
		if (len(got) == 1) != c.want || c.want && (!got[0].Warning || !strings.Contains(got[0].String(), "chown mkad: "+file)) {
			t.Errorf("%+v, mode %o: %v", c.service, c.mode, got)
		}
	}
}
