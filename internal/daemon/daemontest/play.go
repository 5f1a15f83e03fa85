package daemontest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"mkad/internal/config"
	"mkad/internal/daemon"
)

// Play is mkad for a test binary that is called by that name: it serves the configuration until a signal ends it, by the
// clock that it was given, with the options altered by change. It returns the exit status.
func Play(path string, change func(*daemon.Options) error) int {
	if err := play(path, change); err != nil {
		fmt.Fprintln(os.Stderr, "mkad:", err)
		return 1
	}
	return 0
}

func play(path string, change func(*daemon.Options) error) error {
	cfg, problems := config.Load(path)
	if cfg == nil {
		return fmt.Errorf("%v", problems)
	}
	clock, err := ReadClock(path)
	if err != nil {
		return err
	}
	opts := daemon.Options{Path: path, Config: cfg, Clock: clock, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := change(&opts); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return daemon.New(opts).Run(ctx)
}
