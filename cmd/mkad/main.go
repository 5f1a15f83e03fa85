// An idle mkad is woken by nobody but MKA: it does not look every second whether it was given other processors.
//go:debug updatemaxprocs=0

// Command mkad is the MACsec key agreement daemon: it secures Ethernet links by MKA (IEEE 802.1X-2020) and MACsec
// (IEEE 802.1AE-2018).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mkad/internal/config"
	"mkad/internal/control"
	mkad "mkad/internal/daemon"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1 // could not run
	exitUsage  = 2 // bad command line or configuration
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

var errDiffAlone = errors.New("--diff goes with --check, and --socket with both")

// A badFiles ends the program after the problems of configuration and CAK files have been listed.
type badFiles string

// Error says which files have errors.
func (b badFiles) Error() string { return string(b) }

// A loggedError has been told in the log, where every line is JSON.
type loggedError struct{ error }

// Unwrap gives the error.
func (l loggedError) Unwrap() error { return l.error }

func run(args []string, stdout, stderr io.Writer) int {
	cmd := command(stdout, stderr)
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		// Help names the value of a flag by these marks; completion would show them.
		cmd.Flags().VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
	started := false
	cmd.PreRun = func(*cobra.Command, []string) { started = true }
	err := cmd.Execute()
	if err == nil {
		return exitDone
	}
	if !errors.As(err, new(loggedError)) {
		complain(stderr, err, started)
	}
	if !started || errors.As(err, new(badFiles)) || errors.Is(err, errDiffAlone) {
		return exitUsage
	}
	return exitFailed
}

// complain says what ended the program, and what to try.
func complain(w io.Writer, err error, started bool) {
	fmt.Fprintln(w, "mkad:", err)
	if remedy := remedyOf(err); remedy != "" {
		fmt.Fprintln(w, "try:", remedy)
	} else if !started {
		fmt.Fprintln(w, "try: mkad --help")
	}
}

func remedyOf(err error) string {
	remedy := control.RemedyOf(err)
	if remedy == "" && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES)) {
		return "run it as root, or with CAP_NET_ADMIN and CAP_NET_RAW"
	}
	return remedy
}

// command is the command line.
func command(stdout, stderr io.Writer) *cobra.Command {
	var path, socket string
	var check, diff bool
	cmd := &cobra.Command{
		Use:   "mkad",
		Short: "MACsec key agreement daemon",
		Long: "mkad secures the Ethernet links that its configuration names, until it is ended by SIGTERM or SIGINT.\n" +
			"SIGHUP has it read the configuration and the CAK files again.\n\n" +
			"Exit status: 0 ended, or nothing wrong with --check; 1 could not run; 2 bad command line or configuration.",
		Args:          noArguments,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			if err := hideMemory(); err != nil {
				return err
			}
			switch {
			case diff && !check, socket != "" && !diff:
				return errDiffAlone
			case check:
				return checkConfig(path, diff, socket, stdout, stderr)
			}
			return serve(path, stderr)
		},
	}
	cmd.Flags().StringVar(&path, "config", "/etc/mkad/mkad.toml", "configuration `file`")
	cmd.Flags().BoolVar(&check, "check", false, "validate configuration and CAK files, list every problem, and exit")
	cmd.Flags().BoolVar(&diff, "diff", false, "with --check: also say what a reload of the running mkad would touch and cut")
	cmd.Flags().StringVar(&socket, "socket", "", "with --diff: control socket `path` of the running mkad, if it is not the configured one")
	return cmd
}

// noArguments refuses what stands beside the flags.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is too much: the configuration is named by --config", args[0])
	}
	return nil
}

// release is the version of a package, set when it is built.
var release string

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}

// checkConfig is --check: every problem, errors and warnings, and what the host has to say to the ports.
func checkConfig(path string, diff bool, socket string, stdout, stderr io.Writer) error {
	cfg, problems := config.Load(path)
	unfit := 0
	if cfg != nil {
		problems = append(problems, mkad.CheckKeys(cfg)...)
		host, n := mkad.CheckHost(cfg)
		problems, unfit = append(problems, host...), n
	}
	list(stderr, problems)
	if cfg == nil {
		fmt.Fprintln(stderr, "mkad: the CAK files and the host were not looked at; mend the configuration first")
	}
	if errs := problems.Errors(); len(errs) > 0 {
		return bad(path, errs)
	}
	fmt.Fprintf(stdout, "%s: good, %s\n", path, portCount(len(cfg.Ports), unfit))
	if diff {
		return printPlan(cmp.Or(socket, cfg.Daemon.Control), path, stdout)
	}
	return nil
}

// portCount counts ports, and among them those that mkad would not serve as they are.
func portCount(n, unfit int) string {
	text := fmt.Sprintf("%d ports", n)
	if n == 1 {
		text = "1 port"
	}
	switch {
	case unfit == 0:
		return text
	case n == 1:
		return text + ", which cannot be served as it is"
	case unfit == n:
		return text + ", none of which can be served as it is"
	case unfit == 1:
		return text + ", one of which cannot be served as it is"
	}
	return fmt.Sprintf("%s, %d of which cannot be served as they are", text, unfit)
}

// bad says which files have errors: the configuration at path, or else CAK files.
func bad(path string, errs config.Problems) badFiles {
	file := errs[0].File
	switch {
	case file == path: // whose CAK files were not looked at
		return "the configuration has errors"
	case slices.ContainsFunc(errs, func(p config.Problem) bool { return p.File != file }):
		return "CAK files have errors"
	}
	return "the CAK file has errors"
}

func list(w io.Writer, problems config.Problems) {
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
}

// serve runs the daemon until a signal ends it.
func serve(path string, stderr io.Writer) error {
	kept := refuseHugePages()
	cfg, problems := config.Load(path)
	errs := problems.Errors()
	if cfg != nil {
		errs = mkad.CheckKeys(cfg).Errors() // each port logs the warnings of its own
	}
	if len(errs) > 0 {
		return refuse(cfg, append(problems.Warnings(), errs...), bad(path, errs)+"; nothing was started", stderr)
	}
	log := slog.New(logHandler(cfg.Daemon, stderr))
	lockMemory(log)
	lightenMemory(log)
	if kept != nil {
		log.Debug("the kernel may keep memory in huge pages", "error", kept)
	}
	host, _ := mkad.CheckHost(cfg)
	for _, p := range append(problems, host...) {
		log.Warn("configuration", "problem", p.String())
	}
	d := mkad.New(mkad.Options{
		Path:   path,
		Config: cfg,
		Log:    log,
		Ready:  func() { notify(log, daemon.SdNotifyReady) },
	})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	go reloadOnHangup(ctx, d, log)
	go feedWatchdog(ctx, d, log)
	err := d.Run(ctx)
	notify(log, daemon.SdNotifyStopping)
	if err != nil && cfg.Daemon.LogFormat == config.LogJSON {
		log.Error("ended by an error", "error", err, "remedy", remedyOf(err))
		return loggedError{err}
	}
	return err
}

// refuse tells why nothing is started, in the format of the log where that is known. Without cfg it is not.
func refuse(cfg *config.Config, problems config.Problems, verdict badFiles, stderr io.Writer) error {
	if cfg == nil || cfg.Daemon.LogFormat != config.LogJSON {
		list(stderr, problems)
		return verdict
	}
	log := slog.New(logHandler(cfg.Daemon, stderr))
	for _, p := range problems {
		log.Error("configuration", "problem", p.String())
	}
	log.Error(verdict.Error())
	return loggedError{verdict}
}

func logHandler(cfg config.Daemon, w io.Writer) slog.Handler {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogJSON {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

func reloadOnHangup(ctx context.Context, d *mkad.Daemon, log *slog.Logger) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			reload(d, log)
		}
	}
}

// reload reads the files again, and tells the service manager what came of it.
func reload(d *mkad.Daemon, log *slog.Logger) {
	_, err := d.Reload(false)
	if err == nil {
		notify(log, "STATUS=")
		return
	}
	log.Error("reload refused; what was running goes on", "error", err)
	first, _, _ := strings.Cut(err.Error(), "\n")
	notify(log, "STATUS=reload refused: "+first)
}

// feedWatchdog tells the service manager, where it wants to know, that every port's goroutine is alive. One that is stuck
// leaves it hungry, and mkad is started again.
func feedWatchdog(ctx context.Context, d *mkad.Daemon, log *slog.Logger) {
	hunger, err := daemon.SdWatchdogEnabled(false)
	if err != nil || hunger == 0 {
		return
	}
	meals := time.NewTicker(hunger / 3)
	defer meals.Stop()
	for {
		alive, stop := context.WithTimeout(ctx, hunger/3)
		err := d.Alive(alive)
		stop()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("the watchdog is not fed", "error", err)
		default:
			notify(log, daemon.SdNotifyWatchdog)
		}
		select {
		case <-meals.C:
		case <-ctx.Done():
			return
		}
	}
}

// notify tells a service manager, if one listens.
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify the service manager", "error", err)
	}
}
