package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore/wire"
)

// Plane is what the commands need of a core; *client.Client is one.
type Plane interface {
	Read(ctx context.Context, a console.Action, h client.Handlers) wire.Outcome
	Plan(ctx context.Context, a console.Action) (*wire.Plan, wire.Outcome)
	Shown(ctx context.Context, hash string, a console.Action) (*wire.Plan, wire.Outcome)
	Execute(ctx context.Context, hash string, a console.Action, typed int, h client.Handlers) wire.Outcome
	Names(ctx context.Context) (console.Names, wire.Outcome)
	Close()
}

// Deps are what main fills in.
type Deps struct {
	// Connect reaches the core of a mesh; empty: the one that runs. A *wire.Error
	// keeps its code, any other error is taken for unreachable.
	Connect func(ctx context.Context, mesh string) (Plane, error)
	In      io.Reader
	Out     io.Writer // results
	Err     io.Writer // talk
	// Terminal says that a person sits at In and Err and can be asked.
	Terminal bool
	// Color says that Err takes colours; --no-color overrides it.
	Color bool
}

// NewRoot makes the command mesh30k with a subcommand for each action. main adds
// its own, may set RunE for the bare command, and runs it all by [Run].
func NewRoot(d Deps) *cobra.Command {
	root := &cobra.Command{
		Use:   "mesh30k",
		Short: "a console for 30,000 agents",
		Long: `mesh30k coordinates a mesh of AI agents and shows it to the people who run it.

Every action is a subcommand; the same words work after ":" in the console.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(d.In)
	root.SetOut(d.Out)
	root.SetErr(d.Err)
	root.SetFlagErrorFunc(flagError)
	p := root.PersistentFlags()
	p.String("mesh", "", "`NAME` of the mesh; not needed while one core runs")
	p.Bool("json", false, "print one line of JSON: the envelope")
	p.Bool("jsonl", false, "stream records as lines of JSON, and the envelope at the end")
	p.Bool("no-color", false, "no colours, whatever the terminal can")
	for _, e := range console.Catalog() {
		if e.Name == "help" || e.Group != "" {
			continue
		}
		root.AddCommand(command(d, e))
	}
	root.SetHelpCommand(helpCommand())
	for _, name := range console.Later() {
		root.AddCommand(laterCommand(name))
	}
	return root
}

// InjectCommand is the action inject, to hang under fleet.
func InjectCommand(d Deps) *cobra.Command {
	e, err := console.Lookup("inject")
	if err != nil {
		panic(err) // the catalog has it
	}
	return command(d, *e)
}

// laterCommand refuses an action that this version does not have, whatever its
// arguments.
func laterCommand(name string) *cobra.Command {
	return &cobra.Command{
		Use: name, Hidden: true, DisableFlagParsing: true,
		RunE: func(*cobra.Command, []string) error {
			_, err := console.Lookup(name)
			return err
		},
	}
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Root().Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	err := wire.Errorf(wire.CodeBadMessage, "there is no command %q", wire.Clean(args[0]))
	if near := console.Nearest(args[0], names); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("mesh30k help lists the commands")
}
