package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// helpCommand is the action help, which needs no core, and cobra's help of all
// other commands.
func helpCommand() *cobra.Command {
	e, err := console.Lookup("help")
	if err != nil {
		panic(err) // the catalog has it
	}
	cmd := &cobra.Command{Use: e.Usage(), Short: e.Summary, Long: e.Help, Example: examples(e), Args: cobra.ArbitraryArgs}
	given := addFlags(cmd, e)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && len(given.named) == 0 {
			if other, rest, err := cmd.Root().Find(args); err == nil && other != cmd.Root() && len(rest) == 0 && !plainAction(args) {
				return other.Help()
			}
		}
		a, err := e.Build(args, given.named)
		if err != nil {
			return err
		}
		return sayHelp(cmd, a.(console.Help))
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return e.Arg("topic").Candidates(word, console.Names{}), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// plainAction reports whether args name an action of the catalog, or a later one.
func plainAction(args []string) bool {
	if len(args) != 1 {
		return false
	}
	_, err := console.Lookup(args[0])
	return err == nil || errorOf(err).Code == wire.CodeNotYet
}

func sayHelp(cmd *cobra.Command, a console.Help) error {
	rows, text, err := a.Answer()
	if err != nil {
		return err
	}
	if a.Topic == "" {
		text += "\nOther commands:\n"
		for _, c := range cmd.Root().Commands() {
			if c.IsAvailableCommand() && !plainAction([]string{c.Name()}) {
				text += "  " + pad(c.Name(), 10) + " " + c.Short + "\n"
			}
		}
	}
	return Say(cmd, wire.Done, map[string]any{"shown": len(rows), "rows": rows}, text)
}

func pad(s string, width int) string {
	for len(s) < width {
		s += " "
	}
	return s
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, f.Name) }
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}
