package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mkad/internal/doctor"
)

func (t *tool) doctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [DEVICE ...]",
		Short: "Say what this machine can do for mkad, and what it lacks",
		Long: "Doctor looks at the kernel, the processor, the clock and the devices of this machine, and says what mkad can do\n" +
			"with them. To see what works it makes devices that are there for a moment, so it needs root. A mkad need not run.\n" +
			"Without a DEVICE it looks at all that may be lower devices.",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			facts, err := t.look(args...)
			if err != nil {
				return err
			}
			r := doctor.Judge(facts)
			if asJSON {
				return t.printJSON(r)
			}
			return t.print(doctorText(r))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

func doctorText(r doctor.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Linux %s\n", r.Kernel)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s\n", f.What, f.Grade)
		writeField(&b, "", f.Say)
		if f.Remedy != "" {
			writeField(&b, "try", f.Remedy)
		}
	}
	return b.String()
}
