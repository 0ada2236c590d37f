package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

func (c *call) freeze(p Picture, a Freeze) (*change, error) {
	return c.turn(p, a.Target, a.Reason, false)
}

func (c *call) thaw(p Picture, a Thaw) (*change, error) { return c.turn(p, a.Target, a.Reason, true) }

// turn is a freeze or a thaw. It concerns the agents whose flag it turns; the
// order covers the whole target, since it holds for newcomers too.
func (c *call) turn(p Picture, target wire.Selector, reason string, thaw bool) (*change, error) {
	sel, err := c.resolve(p, target)
	if err != nil {
		return nil, err
	}
	all := rowsOf(p, sel)
	emergency := c.do.Step == wire.StepEmergency
	if len(all) == 0 && !emergency {
		return nil, noneMatched(sel)
	}
	ch := &change{does: fmt.Sprintf("%s %s", c.entry.Name, sel)}
	var already int
	ch.rows, already = split(all, func(r *wire.AgentImpedance) bool { return r.Frozen == thaw })
	ch.excluded = map[string]int{}
	if already > 0 {
		ch.excluded[map[bool]string{false: "frozen already", true: "not frozen"}[thaw]] = already
	}
	order := wire.FreezeOrder{Thaw: thaw, Selector: sel.String(), Actor: c.person, Reason: reason, At: c.now}
	if !sel.Standing() {
		order.Resolved = setOf(all)
		ch.notes = append(ch.notes, "holds for these agents only: the target asks for what changes (state, capability, impedance)")
	} else if !thaw {
		ch.notes = append(ch.notes, "holds for agents that come later too")
	}
	ch.run = c.runOrder(order, ch)
	return ch, nil
}

// split keeps the rows for which yes holds and counts the others.
func split(rows []*wire.AgentImpedance, yes func(*wire.AgentImpedance) bool) (kept []*wire.AgentImpedance, others int) {
	for _, r := range rows {
		if yes(r) {
			kept = append(kept, r)
		} else {
			others++
		}
	}
	return kept, others
}

func (c *call) runOrder(order wire.FreezeOrder, ch *change) func(context.Context, func(wire.Progress)) (wire.Outcome, error) {
	return func(ctx context.Context, progress func(wire.Progress)) (wire.Outcome, error) {
		r, err := c.Mesh.Freeze(ctx, order, progress)
		if err != nil {
			return wire.Outcome{}, err
		}
		v := wire.Done
		if r.Stopped < r.Covered {
			v = wire.Partial
		}
		c.seen(ctx, ch.rows, !order.Thaw)
		return c.outcome(v, r, freezeText(r, order)), nil
	}
}

// How long an outcome waits until the replica shows what was done, and how often
// it looks. Blocks come at most once a second.
const (
	seenTime = 1500 * time.Millisecond
	seenLook = 25 * time.Millisecond
)

// seen waits until the picture shows the agents as they are now, so that who
// asks next does not see the mesh of before. It gives up after seenTime: the
// outcome is true without.
func (c *call) seen(ctx context.Context, rows []*wire.AgentImpedance, frozen bool) {
	ctx, cancel := context.WithTimeout(ctx, seenTime)
	defer cancel()
	look := time.NewTicker(seenLook)
	defer look.Stop()
	for !shows(c.Mesh.Picture(), rows, frozen) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func shows(p Picture, rows []*wire.AgentImpedance, frozen bool) bool {
	for _, old := range rows {
		if r := p.Agent(old.AgentID); r != nil && r.Frozen != frozen {
			return false
		}
	}
	return true
}

// freezeText is 7.1's answer to freeze.
func freezeText(r wire.FreezeResult, order wire.FreezeOrder) string {
	var b strings.Builder
	what, did, back := "FROZEN", "paused", "thaw"
	if r.Thaw {
		what, did, back = "THAWED", "resumed", "freeze"
	}
	if r.Target != "" && r.Target != "mesh" {
		what, back = what+" "+r.Target, back+" "+quoteWord(r.Target)
	} else {
		what = "MESH " + what
	}
	fmt.Fprintln(&b, what)
	if r.Stopped == r.Covered {
		fmt.Fprintf(&b, "All %s agents %s\n", thousands(r.Covered), did)
	} else {
		fmt.Fprintf(&b, "%s of %s agents %s\n", thousands(r.Stopped), thousands(r.Covered), did)
	}
	if r.SilentN > 0 {
		fmt.Fprintf(&b, "%s on hosts that have not answered: %s; it holds for them when they come back\n", plural(r.SilentN, "agent"), someOf(r.Silent))
	}
	if r.InHand > 0 {
		fmt.Fprintf(&b, "In hand, ends by itself: %s\n", plural(r.InHand, "message"))
	}
	if r.Thawing > 0 {
		fmt.Fprintf(&b, "Kept meanwhile, sent now: %s\n", plural(r.Thawing, "message"))
	}
	switch {
	case order.Undoes != 0:
		fmt.Fprintf(&b, "Order %d is taken back, as fact %d\n", order.Undoes, r.Seq)
	case r.Thaw:
		fmt.Fprintf(&b, "Recorded as fact %d\n", r.Seq)
	default:
		fmt.Fprintf(&b, "State preserved to fact %d\nTo resume: %s\n", r.Seq, back)
	}
	return b.String()
}

// someOf names the first ten.
func someOf(names []string) string {
	const most = 10
	shown := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		shown = append(shown, wire.Clean(n))
	}
	s := strings.Join(shown, ", ")
	if n := len(names) - most; n > 0 {
		s += fmt.Sprintf(" and %s more", thousands(n))
	}
	return s
}
