package console

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// WideOver is how many agents a change may concern without being wide.
const WideOver = 30

// change is what a changing action comes to at this moment: whom it concerns and
// how it is done. Planning makes one and shows it; executing makes another,
// compares, and runs it.
type change struct {
	rows     []*wire.AgentImpedance // whom it concerns
	excluded map[string]int         // of the target, whom it does not concern: why, how many
	does     string                 // a sentence for people, without the count
	notes    []string               // further lines for people
	undoes   uint64                 // undo: the order that it takes back
	run      func(context.Context, func(wire.Progress)) (wire.Outcome, error)
}

func (c *call) change(p Picture) (*change, error) {
	switch a := c.action.(type) {
	case Freeze:
		return c.freeze(p, a)
	case Thaw:
		return c.thaw(p, a)
	case Undo:
		return c.undo(p)
	case Broadcast:
		return c.broadcast(p, a)
	case Invite:
		return c.invite(a)
	case Inject:
		return c.inject(p, a)
	}
	return nil, wire.Errorf(wire.CodeInternal, "%s is a change that nobody makes", c.entry.Name)
}

func (c *call) handleChange() wire.Outcome {
	out := c.stepOfChange()
	if out.Verdict == wire.WasRefused {
		// Who tried what in vain is in the audit too. The attempt is over, so a
		// failure to write it changes nothing for the person but what she is told.
		if err := c.audit(out.Verdict, 0, out.Text); err != nil {
			out.Text += "; and the audit could not be written: " + clip(err.Error())
		}
	}
	return out
}

func (c *call) stepOfChange() wire.Outcome {
	if err := c.allowed(); err != nil {
		return refusal(c.entry.Name, err)
	}
	p := c.Mesh.Picture()
	ch, err := c.change(p)
	if err != nil {
		return refusal(c.entry.Name, err)
	}
	switch c.do.Step {
	case wire.StepPlan:
		return c.showPlan(ch)
	case wire.StepExecute:
		return c.execute(ch)
	default: // emergency: allowed has seen to the rest
		return c.carryOut(ch, "")
	}
}

// allowed checks role, read-only and step.
func (c *call) allowed() error {
	switch {
	case c.opts.ReadOnly:
		return wire.Errorf(wire.CodeForbidden, "%s: this core is read-only", c.entry.Name).WithHint("start the core without --read-only")
	case c.role != wire.Operator:
		return wire.Errorf(wire.CodeForbidden, "%s: %s may only read", c.entry.Name, c.person).WithHint("ask an operator")
	case c.do.Step == wire.StepRead:
		return wire.Errorf(wire.CodeBadMessage, "%s changes the mesh and cannot be read", c.entry.Name).WithHint("plan it, then execute the plan")
	case c.do.Step != wire.StepEmergency:
		return nil
	}
	if f, ok := c.action.(Freeze); !ok || !f.Target.IsMesh() {
		return wire.Errorf(wire.CodeForbidden, "only a freeze of the whole mesh goes without a plan").WithHint("plan it, then execute the plan")
	}
	return nil
}

// binding is what a plan is of: the action, and what undo found to take back.
func (c *call) binding(ch *change) string {
	s := string(Encode(c.action))
	if ch.undoes != 0 {
		s += fmt.Sprint(" of ", ch.undoes)
	}
	return s
}

func (c *call) wide(ch *change) bool {
	return len(ch.rows) > 0 && (c.entry.Risk == Disruptive || len(ch.rows) > WideOver)
}

// showPlan makes a plan, or with a hash shows that plan again: who executes by
// --yes=HASH needs its number of agents.
func (c *call) showPlan(ch *change) wire.Outcome {
	var plan *wire.Plan
	if c.do.Hash == "" {
		plan = c.plan(ch)
	} else {
		old, err := c.plans.again(c.do.Hash, c.person, c.binding(ch), c.now)
		if err != nil {
			return refusal(c.entry.Name, err)
		}
		again := *old
		again.ID = c.do.ID
		plan = &again
	}
	c.tell.message(plan)
	return c.outcome(wire.Done, map[string]any{"hash": plan.Hash, "count": plan.Count, "expires": plan.Expires}, "")
}

// execute runs what a plan showed, or shows a new plan if agents were added.
func (c *call) execute(ch *change) wire.Outcome {
	k, err := c.plans.check(c.do.Hash, c.person, c.binding(ch), c.do.Typed, c.now)
	if err != nil {
		return refusal(c.entry.Name, err)
	}
	if n := added(setOf(ch.rows), k.set); n > 0 {
		c.plans.take(k.hash)
		plan := c.plan(ch)
		c.tell.message(plan)
		return refusal(c.entry.Name, stale("%s more than plan %s showed: it is %s now", plural(n, "agent"), k.hash, thousands(plan.Count)))
	}
	if !c.plans.take(k.hash) {
		return refusal(c.entry.Name, stale("plan %s has been executed", k.hash))
	}
	return c.carryOut(ch, k.hash)
}

// carryOut runs a change between its two entries of the audit. Without the
// first nothing happens.
func (c *call) carryOut(ch *change, hash string) wire.Outcome {
	c.do.Hash = hash
	if err := c.audit(wire.Begun, len(ch.rows), ""); err != nil {
		return refusal(c.entry.Name, wire.Errorf(wire.CodeForbidden, "nothing was done: the audit cannot be written: %s", wire.Clean(err.Error())).
			WithHint("see doctor: disk full, or the stream is gone"))
	}
	out, err := ch.run(c.ctx, c.tell.progress)
	if err != nil {
		out = refusal(c.entry.Name, err)
	}
	if out.Verdict == wire.WasRefused {
		return out // handleChange writes it
	}
	reason := ""
	if out.Err != nil {
		reason = out.Err.Error()
	}
	if err := c.audit(out.Verdict, len(ch.rows), reason); err != nil {
		return c.unwritten(out, err)
	}
	return out
}

// unwritten is the outcome of what was done and is not written down: the data
// stays, but it is not shown as settled.
func (c *call) unwritten(out wire.Outcome, err error) wire.Outcome {
	e := wire.Errorf(wire.CodeInternal, "it was carried out, but how it ended could not be written to the audit: %s", wire.Clean(err.Error())).
		WithHint("see doctor: disk full, or the stream is gone")
	out.Verdict, out.Exit, out.Err = wire.Internal, wire.Internal.Exit(), e
	out.Text += "\n" + e.Error()
	return out
}

// auditTime bounds the wait for an entry that tells how something ended: it is
// written even when nobody waits for the answer any more.
const auditTime = 10 * time.Second

func (c *call) audit(v wire.Verdict, targets int, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), auditTime)
	defer cancel()
	return c.Auditor.Audit(ctx, wire.AuditEntry{
		ID: c.do.ID, Person: c.person, Role: c.role, Step: c.do.Step,
		Action: Encode(c.action), PlanHash: c.do.Hash, Targets: targets,
		Verdict: v, Reason: wire.Clean(reason),
	})
}

// plan makes the plan of a change and keeps it.
func (c *call) plan(ch *change) *wire.Plan {
	k := &kept{
		person: c.person, action: c.binding(ch), set: setOf(ch.rows),
		count: len(ch.rows), wide: c.wide(ch), expires: c.now.Add(PlanLife),
	}
	k.hash = planHash(k)
	plan := &wire.Plan{
		Header: wire.Head(wire.TypePlan), ID: c.do.ID, Hash: k.hash, Expires: k.expires,
		Action: Encode(c.action), Risk: string(c.entry.Risk), Wide: k.wide, Count: k.count,
		ByClass: map[wire.Class]int{}, BySector: map[int]int{},
		Excluded: ch.excluded, Reversible: c.entry.Reversible,
	}
	clusters := map[wire.Address]bool{}
	for i, r := range ch.rows {
		plan.ByClass[r.Class]++
		plan.BySector[r.Address.Sector]++
		plan.WorkingNow += r.InHand
		plan.Queued += r.QueueDepth
		clusters[r.Address.InCluster()] = true
		if i < 10 {
			plan.Sample = append(plan.Sample, r.Address.String())
		}
	}
	plan.Clusters = len(clusters)
	plan.Text = planText(plan, ch)
	k.shown = plan
	c.plans.add(k, c.now)
	return plan
}

// sortedReasons lists the keys of counts in order.
func sortedReasons(counts map[string]int) []string {
	keys := make([]string, 0, len(counts))
	for k, n := range counts {
		if n > 0 {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
