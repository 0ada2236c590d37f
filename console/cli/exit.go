package cli

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// Run runs the command line and returns the exit code. Every error is printed
// here, as an envelope where --json was asked for, even if the flags could not
// be read.
func Run(ctx context.Context, root *cobra.Command, args []string, d Deps) int {
	begun := false
	pre := root.PersistentPreRunE
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		begun = true
		if pre != nil {
			return pre(cmd, args)
		}
		return nil
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return wire.Done.Exit()
	}
	var over exit
	if errors.As(err, &over) {
		return over.code
	}
	// Ended by a signal, nothing is to be said. A child's end has an ExitCode too,
	// but not that of this program.
	var ended interface{ ExitCode() int }
	var child *exec.ExitError
	if errors.As(err, &ended) && !errors.As(err, &child) {
		return ended.ExitCode()
	}
	e := errorOf(err)
	if e.Code == wire.CodeInternal && !begun { // cobra's own, about what was typed
		e = wire.Errorf(wire.CodeBadMessage, "%s", err).WithHint("see %s --help", cmd.CommandPath())
	}
	p := printerOf(cmd, d)
	p.json = p.json || asked(args, "--json")
	p.jsonl = p.jsonl || asked(args, "--jsonl")
	v := e.Code.Verdict()
	if errors.As(p.outcome(wire.Outcome{Verdict: v, Err: e}), &over) {
		return over.code
	}
	return v.Exit()
}

// asked looks for a flag where cobra could not.
func asked(args []string, flag string) bool {
	if i := slices.Index(args, "--"); i >= 0 {
		args = args[:i]
	}
	return slices.Contains(args, flag) || slices.Contains(args, flag+"=true")
}

// flagError says which flag was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	e := wire.Errorf(wire.CodeBadMessage, "%s: %s", cmd.CommandPath(), err)
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return e.WithHint("see %s --help", cmd.CommandPath())
	}
	if near := console.Nearest(name, flagNames(cmd)); near != "" {
		return e.WithHint("did you mean --%s?", near)
	}
	return e.WithHint("see %s --help", cmd.CommandPath())
}
