package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mesh30k/console"
)

// command makes the subcommand of an action: everything comes from its entry.
func command(d Deps, e console.Entry) *cobra.Command {
	cmd := &cobra.Command{
		Use:     usage(&e),
		Short:   e.Summary,
		Long:    e.Summary + "\n\n" + e.Help + reversible(&e) + target(&e),
		Example: examples(&e),
		Args:    cobra.ArbitraryArgs, // the entry's own Build judges them
	}
	given := addFlags(cmd, &e)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := e.Build(args, given.named)
		if err != nil {
			return err
		}
		return run(cmd, d, &e, a)
	}
	if e.Risk != console.Read {
		cmd.Flags().Bool("dry-run", false, "show the plan and its hash; change nothing")
		cmd.Flags().String("yes", "", "do not ask; with `HASH` execute only the plan that was shown")
		cmd.Flags().Lookup("yes").NoOptDefVal = yesToAll
	}
	complete(cmd, d, &e)
	return cmd
}

func usage(e *console.Entry) string { return e.Usage() }

func reversible(e *console.Entry) string {
	if e.Reversible == "" {
		return ""
	}
	return "\n\nTo take it back: " + e.Reversible + "."
}

func target(e *console.Entry) string {
	if e.Arg("target") == nil {
		return ""
	}
	return "\n\n" + console.TargetHelp
}

func examples(e *console.Entry) string {
	prefix := "  mesh30k "
	if e.Group != "" {
		prefix += e.Group + " "
	}
	return prefix + strings.Join(e.Examples, "\n"+prefix)
}

// flags collects what is given by name, as often as it is given, so that Build
// can say what is wrong with it.
type flags struct{ named []console.Named }

// addFlags adds a flag for each argument. Those that are usually given by
// position have one too, which help does not show.
func addFlags(cmd *cobra.Command, e *console.Entry) *flags {
	all := &flags{}
	positional := map[string]bool{}
	for _, a := range e.Positional() {
		positional[a.Name] = true
	}
	for i := range e.Args {
		a := &e.Args[i]
		f := cmd.Flags().VarPF(&flag{all, a}, a.Flag(), "", a.Help)
		f.Hidden = positional[a.Name]
		if a.Kind == console.KindBool {
			f.NoOptDefVal = "true"
		}
	}
	return all
}

// flag is one argument as a flag.
type flag struct {
	into *flags
	arg  *console.Arg
}

var _ pflag.Value = (*flag)(nil)

func (f *flag) String() string {
	if f.arg == nil { // pflag asks the zero value too
		return ""
	}
	return f.arg.Default
}

func (f *flag) Set(s string) error {
	f.into.named = append(f.into.named, console.Named{Name: f.arg.Name, Value: s})
	return nil
}

// Type is the placeholder that help shows.
func (f *flag) Type() string {
	switch {
	case f.arg.Kind == console.KindBool:
		return "bool"
	case len(f.arg.Enum) > 0 && f.arg.Kind != console.KindFact:
		return strings.Join(f.arg.Enum, "|")
	default:
		return string(f.arg.Kind)
	}
}

// completionTime is how long completion waits for a core; then it offers what
// needs none.
const completionTime = 300 * time.Millisecond

func complete(cmd *cobra.Command, d Deps, e *console.Entry) {
	for i := range e.Args {
		a := &e.Args[i]
		err := cmd.RegisterFlagCompletionFunc(a.Flag(), func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return candidates(cmd, d, a, word)
		})
		if err != nil {
			panic(err) // the flag was added above
		}
	}
	places := e.Positional()
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return candidates(cmd, d, places[len(args)], word)
	}
}

func candidates(cmd *cobra.Command, d Deps, a *console.Arg, word string) ([]string, cobra.ShellCompDirective) {
	var names console.Names
	directive := cobra.ShellCompDirectiveNoFileComp
	if a.Kind == console.KindTarget {
		directive |= cobra.ShellCompDirectiveNoSpace
		if strings.ContainsAny(word, "=") {
			names = liveNames(cmd, d)
		}
	}
	return a.Candidates(word, names), directive
}

// liveNames asks the core, if there is one; completion works without.
func liveNames(cmd *cobra.Command, d Deps) console.Names {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	mesh, _ := cmd.Flags().GetString("mesh") // the root has it
	plane, err := d.Connect(ctx, mesh)
	if err != nil {
		return console.Names{}
	}
	defer plane.Close()
	names, _ := plane.Names(ctx) // what came is what is offered
	return names
}
