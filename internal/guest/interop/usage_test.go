package interop

import (
	"os"
	"testing"
)

func TestUsageOfThisProcessIsRead(t *testing.T) {
	u, err := UsageOf(os.Getpid())
	if err != nil || u.Run <= 0 || u.Memory < 1000 {
		t.Errorf("usage is %+v, %v", u, err)
	}
}
