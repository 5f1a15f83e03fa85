package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mkad/internal/control"
	"mkad/internal/doctor"
)

// The exit status.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

const (
	defaultSocket = "/run/mkad/control.sock"

	// answerTime is how long mkad may take over an ordinary request: a reload of many ports is a matter of seconds.
	answerTime = 15 * time.Second
	// completeTime bounds the question for port names while somebody waits at a prompt.
	completeTime = 500 * time.Millisecond
)

// A tool is one run of mkactl with what it needs of the world.
type tool struct {
	stdout, stderr io.Writer
	terminal       *terminal // of stdout; nil: it is none
	now            func() time.Time
	random         io.Reader                 // of keygen
	closedDevices  func() ([]string, error)  // the lower devices that have a filter of mkad's
	openDevice     func(device string) error // takes it away
	served         func(device string) bool  // whether a running mkad has it
	removeDevice   func(controlled string) (removed bool, err error)
	look           func(devices ...string) (doctor.Facts, error) // at the machine
	describe       func(device string) ([]byte, error)           // as ip -details link prints it
	stdin          io.Reader                                     // of decode
	hideMemory     func() error                                  // before a key is read or made: no core dump
	lowers         func() map[string][]string                    // the devices of the host, each with those below it

	socket string
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

// advisedError is a failure with the next thing to try.
type advisedError struct {
	error
	remedy string
}

// Unwrap gives the failure.
func (e advisedError) Unwrap() error { return e.error }

// Remedy is what to try; "" if there is nothing to say.
func (e advisedError) Remedy() string { return e.remedy }

func (t *tool) run(args []string) int {
	usage := true // until cobra has understood the command line
	root := t.root(func() { usage = false })
	root.SetArgs(args)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		plainUsages(root)
	}
	asked, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if usage {
		err = usageError{err}
	}
	t.complain(err, asked.CommandPath())
	return exitOf(err)
}

func exitOf(err error) int {
	var wrong usageError
	var unreachable *control.UnreachableError
	switch {
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	}
	return exitFailed
}

// complain prints the error and the next thing to try.
func (t *tool) complain(err error, asked string) {
	text := "mkactl: " + err.Error() + "\n"
	var wrong usageError
	if remedy := control.RemedyOf(err); remedy != "" {
		text += "try: " + remedy + "\n"
	} else if errors.As(err, &wrong) {
		text += "try: " + asked + " --help\n"
	}
	io.WriteString(t.stderr, printable(text))
}

func (t *tool) root(understood func()) *cobra.Command {
	root := &cobra.Command{
		Use:   "mkactl",
		Short: "Look into a running mkad and tell it what to do",
		Long: "Mkactl looks into a running mkad and tells it what to do. A PORT is named by its lower device (eth1) or\n" +
			"by its Controlled Port (macsec0).\n\n" +
			"Exit status: 0 done, 1 failed, 2 usage, 3 mkad not reachable.",
		Version:          version(),
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { understood() },
		RunE:             func(*cobra.Command, []string) error { return usageError{errors.New("which command?")} },
	}
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	root.PersistentFlags().StringVar(&t.socket, "socket", defaultSocket, "control socket of mkad")
	root.AddCommand(t.status(), t.watch(), t.counters(), t.explain(), t.rekey(), t.reload(), t.backend(), t.keygen(), t.unlock(), t.cleanup(), t.importOther(), t.doctor(), t.decode())
	strict(root)
	return root
}

// strict has the commands that the library adds refuse what they do not know, as the others do.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			c.Args = cobra.NoArgs
			c.RunE = func(*cobra.Command, []string) error { return usageError{errors.New("which shell? bash, zsh or fish")} }
		case "help":
			c.Run = nil
			c.RunE = func(_ *cobra.Command, args []string) error {
				about, _, err := root.Find(args)
				if err != nil {
					return usageError{err}
				}
				return about.Help()
			}
		}
	}
}

// takes wants an argument for each name, and no other.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		wanted := cmp.Or(strings.Join(names, " "), "no argument")
		switch {
		case len(args) < len(names):
			return usageError{fmt.Errorf("%s wants %s: %s is missing", cmd.Name(), wanted, names[len(args)])}
		case len(args) > len(names):
			return usageError{fmt.Errorf("%s wants %s: %q is too much", cmd.Name(), wanted, args[len(names)])}
		}
		return nil
	}
}

// ask runs one exchange with the daemon that may last that long.
func (t *tool) ask(limit time.Duration, exchange func(context.Context, *control.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client := control.NewClient(t.socket)
	defer client.Close()
	return exchange(ctx, client)
}

// ports completes the names of ports, those that are given already apart.
func (t *tool) ports(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	_ = t.ask(completeTime, func(ctx context.Context, c *control.Client) error { // no daemon, no names
		d, err := c.Status(ctx)
		for _, p := range d.Ports {
			if !slices.ContainsFunc(given, p.Named) {
				names = append(names, p.Interface, p.Controlled)
			}
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// onePort completes the name of a port where one is wanted.
func (t *tool) onePort(cmd *cobra.Command, given []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return t.ports(cmd, given, begun)
}

// plainUsages takes the marks off the texts of flags: help names the value of a flag by them, completion would show them.
func plainUsages(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
	for _, c := range cmd.Commands() {
		plainUsages(c)
	}
}

func (t *tool) print(text string) error {
	_, err := io.WriteString(t.stdout, printable(text))
	return err
}

// tell says what was done: in words, or as a document for programs.
func (t *tool) tell(asJSON bool, text string, document any) error {
	if asJSON {
		return t.printJSON(document)
	}
	return t.print(text)
}

// jsonFlag lets a command that does something tell so as a document.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "say as a JSON document what was done")
}

func (t *tool) printJSON(document any) error {
	lines := json.NewEncoder(t.stdout)
	lines.SetIndent("", "  ")
	return lines.Encode(document)
}

// printable keeps what came from elsewhere from talking to the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t': // of what cobra suggests
			return ' '
		case r != '\n' && !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text)
}

// A choice is the value of a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

// flag makes a choice a flag of a command, which completes its words.
func (c *choice) flag(cmd *cobra.Command, name, usage string) {
	cmd.Flags().Var(c, name, usage)
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(c.allowed, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is there
	}
}

// String is the word that was chosen.
func (c *choice) String() string { return c.value }

// Set chooses.
func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("give one of: %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}

// Type names the value in the help text.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }
