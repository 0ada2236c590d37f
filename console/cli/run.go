package cli

import (
	"bufio"
	"errors"

	"github.com/spf13/cobra"

	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore/wire"
)

// yesToAll is --yes without a hash.
const yesToAll = "plan and execute"

// run carries out the action of a command.
func run(cmd *cobra.Command, d Deps, e *console.Entry, a console.Action) error {
	mesh, _ := cmd.Flags().GetString("mesh") // the root has it
	plane, err := d.Connect(cmd.Context(), mesh)
	if err != nil {
		return unreachable(err)
	}
	defer plane.Close()
	s := &session{Deps: d, cmd: cmd, in: bufio.NewReader(d.In), out: printerOf(cmd, d), plane: plane, entry: e, action: a}
	if e.Risk == console.Read {
		return s.out.outcome(plane.Read(cmd.Context(), a, s.handlers()))
	}
	return s.change()
}

func unreachable(err error) error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return wire.Errorf(wire.CodeUnreachable, "%s", wire.Clean(err.Error())).WithHint("start one with mesh30k core, or try mesh30k demo")
}

// session is one command on its way.
type session struct {
	Deps
	cmd    *cobra.Command
	in     *bufio.Reader // of Deps.In, for all questions
	out    *printer
	plane  Plane
	entry  *console.Entry
	action console.Action

	newPlan *wire.Plan // made by the core because the one to be executed no longer fits
}

func (s *session) handlers() client.Handlers {
	h := client.Handlers{Progress: s.out.progress, Plan: func(p wire.Plan) { s.newPlan = &p }}
	if s.out.jsonl {
		h.Rows = s.out.rows
	}
	return h
}

// change plans, asks unless it was told not to, and executes.
func (s *session) change() error {
	ctx := s.cmd.Context()
	yes, _ := s.cmd.Flags().GetString("yes") // command added both
	dry, _ := s.cmd.Flags().GetBool("dry-run")
	plan, out := s.plan(yes)
	if plan == nil {
		return s.out.outcome(out)
	}
	if dry {
		return s.out.plan(plan, wire.Done, nil)
	}
	for {
		if yes == "" {
			if err := s.confirm(plan); err != nil {
				return s.out.plan(plan, wire.WasRefused, err)
			}
		}
		s.newPlan = nil
		out := s.plane.Execute(ctx, plan.Hash, s.action, plan.Count, s.handlers())
		if s.newPlan == nil {
			return s.out.outcome(out)
		}
		if yes != "" {
			s.out.showPlan(s.newPlan)
			return s.out.outcome(out)
		}
		s.out.talk(out.Text)
		plan = s.newPlan // and ask again
	}
}

// plan makes a plan, or fetches the one whose hash --yes names.
func (s *session) plan(yes string) (*wire.Plan, wire.Outcome) {
	if yes == "" || yes == yesToAll {
		return s.plane.Plan(s.cmd.Context(), s.action)
	}
	return s.plane.Shown(s.cmd.Context(), yes, s.action)
}
