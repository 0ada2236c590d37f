package console

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// Listed is the data of list beside its rows.
type Listed struct {
	What  string     `json:"what"`
	Shown int        `json:"shown"`
	Total int        `json:"total"`
	AsOf  *time.Time `json:"as_of,omitempty"`
}

func (c *call) list(a List) (wire.Outcome, error) {
	p := c.Mesh.Picture()
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return wire.Outcome{}, err
	}
	if a.What == "operations" {
		return c.listOperations(p, sel, a)
	}
	if !a.At.IsNow() {
		list, minute, err := c.listThen(p, sel, a)
		if err != nil {
			return wire.Outcome{}, err
		}
		return c.listTallies(list, a, &minute)
	}
	rows := rowsOf(p, sel)
	if len(rows) == 0 {
		return wire.Outcome{}, noneMatched(sel)
	}
	if a.What == "agents" {
		return c.listAgents(rows, sel, a)
	}
	return c.listTallies(group(p, rows, a.What), a, nil)
}

func (c *call) listed(a List, shown, total int, asOf *time.Time) wire.Outcome {
	text := fmt.Sprintf("%s of %s %s\n", thousands(shown), thousands(total), a.What)
	if asOf != nil {
		text = fmt.Sprintf("%s of %s %s, as of %s\n", thousands(shown), thousands(total), a.What, c.clock(*asOf))
	}
	return c.outcome(wire.Done, Listed{a.What, shown, total, asOf}, text)
}

func (c *call) listAgents(rows []*wire.AgentImpedance, sel wire.Selector, a List) (wire.Outcome, error) {
	people := sel.NamesClass(wire.ClassHuman)
	slices.SortStableFunc(rows, func(x, y *wire.AgentImpedance) int { return orderAgents(x, y, a.Sort, people) })
	shown := rows[:min(a.Limit, len(rows))]
	t := table{head: []string{"ADDRESS", "AGENT", "CLASS", "STATE", "FLAGS", ">IMPEDANCE", ">LATENCY", ">QUEUE", ">IN HAND", "HEARD", "HOST"}}
	for _, r := range shown {
		t.add(r.Address.String(), r.AgentID, r.Class.String(), string(r.State), flagsOf(r),
			measured(r.ImpedanceMS), measured(r.LatencyMS), thousands(r.QueueDepth), thousands(r.InHand), c.ago(r.LastHeartbeat), r.Host)
	}
	lines := t.lines()
	c.tell.line(lines[0])
	for i, r := range shown {
		if err := c.tell.row(r, lines[i+1]); err != nil {
			return wire.Outcome{}, err
		}
	}
	return c.listed(a, len(shown), len(rows), nil), nil
}

// flagsOf spells what stands beside the state.
func flagsOf(r *wire.AgentImpedance) string {
	s := ""
	for _, f := range []struct {
		set  bool
		name string
	}{{r.Frozen, "frozen"}, {r.Unstable, "unstable"}, {r.Sim, "SIM"}} {
		if f.set && s != "" {
			s += ","
		}
		if f.set {
			s += f.name
		}
	}
	return s
}

// measured spells a figure in ms; zero means that nothing has been measured.
func measured(ms float64) string {
	if ms <= 0 {
		return "–"
	}
	return milliseconds(ms)
}

// orderAgents puts the worst first. By impedance class F comes last unless the
// target names it: it always needs a minute, and would hide everybody else.
func orderAgents(x, y *wire.AgentImpedance, by string, people bool) int {
	d := 0
	switch by {
	case "impedance":
		if !people {
			d = count(x.Class == wire.ClassHuman) - count(y.Class == wire.ClassHuman)
		}
		d = cmp.Or(d, cmp.Compare(y.ImpedanceMS, x.ImpedanceMS))
	case "latency":
		d = cmp.Compare(y.LatencyMS, x.LatencyMS)
	case "queue":
		d = y.QueueDepth - x.QueueDepth
	case "state":
		d = badness(y) - badness(x)
	}
	return cmp.Or(d, x.Address.Compare(y.Address))
}

func badness(r *wire.AgentImpedance) int {
	switch {
	case r.State == wire.Offline:
		return 5
	case r.State == wire.Quarantined:
		return 4
	case r.State == wire.Degraded:
		return 3
	case r.Unstable:
		return 2
	case r.Frozen:
		return 1
	}
	return 0
}

func (c *call) listTallies(list []*Tally, a List, asOf *time.Time) (wire.Outcome, error) {
	slices.SortStableFunc(list, func(x, y *Tally) int { return orderTallies(x, y, a.Sort) })
	shown := list[:min(a.Limit, len(list))]
	t := table{head: []string{"PLACE", "NAME", ">ACTIVE", ">AGENTS", ">DEGRADED", ">UNSTABLE", ">OFFLINE", ">QUARANTINED", ">FROZEN", ">QUEUE", ">MEAN", ">P95"}}
	for _, r := range shown {
		t.add(r.Place, r.Name, thousands(r.Active), thousands(r.Agents), thousands(r.Degraded), thousands(r.Unstable),
			thousands(r.Offline), thousands(r.Quarantined), thousands(r.Frozen), thousands(r.Queue), known(r.MeanMS), known(r.P95MS))
	}
	lines := t.lines()
	c.tell.line(lines[0])
	for i, r := range shown {
		if err := c.tell.row(r, lines[i+1]); err != nil {
			return wire.Outcome{}, err
		}
	}
	return c.listed(a, len(shown), len(list), asOf), nil
}

func known(ms *float64) string {
	if ms == nil {
		return "–"
	}
	return milliseconds(*ms)
}

func orderTallies(x, y *Tally, by string) int {
	d := 0
	switch by {
	case "impedance":
		d = cmp.Compare(value(y.MeanMS), value(x.MeanMS))
	case "latency":
		d = cmp.Compare(value(y.LatencyMS), value(x.LatencyMS))
	case "queue":
		d = y.Queue - x.Queue
	case "state":
		d = cmp.Compare(share(x.Active, x.Agents), share(y.Active, y.Agents))
		d = cmp.Or(d, y.Degraded-x.Degraded)
	}
	if x.address == y.address || x.address == (wire.Address{}) {
		return cmp.Or(d, cmp.Compare(x.Place, y.Place))
	}
	return cmp.Or(d, x.address.Compare(y.address))
}

func value(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}
