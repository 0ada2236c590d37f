package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// selection answers whether a fact is about what a selector selects. It knows
// the enrolled agents that the selector selects, as they are enrolled now.
type selection struct {
	selector wire.Selector
	sectors  []int // that can have matches; nil: all
	enrolled map[string]*wire.AgentImpedance
	selected map[string]*wire.AgentImpedance // of the enrolled
	ordinals map[int]wire.Bits               // of the selected, by sector
}

// selection prepares a selector, which must be resolved.
func (s *Store) selection(ctx context.Context, selector wire.Selector) (*selection, error) {
	sel := &selection{selector: selector}
	if selector.IsMesh() {
		return sel, nil
	}
	if !selector.Standing() {
		return nil, wire.Errorf(wire.CodeBadMessage,
			"history cannot be asked by state, capability or impedance: what they were is no fact (target %s)", selector).
			WithHint("ask by sector, cluster, agent, host, class or label")
	}
	var last int
	if err := s.history.read.QueryRowContext(ctx,
		"SELECT max(coalesce((SELECT max(sector) FROM fact), 0), coalesce((SELECT max(sector) FROM agent), 0))").Scan(&last); err != nil {
		return nil, explain("read the history from", s.history.path, err)
	}
	sel.sectors = selector.Places(&wire.Topology{Sectors: make([]wire.SectorPlan, last)})
	return sel, s.enrolled(ctx, sel)
}

// enrolled fills in the agents of the selection's sectors.
func (s *Store) enrolled(ctx context.Context, sel *selection) error {
	sel.enrolled = map[string]*wire.AgentImpedance{}
	sel.selected = map[string]*wire.AgentImpedance{}
	sel.ordinals = map[int]wire.Bits{}
	where := new(conditions)
	sel.among(where, sel.sectors)
	return s.each(ctx, s.history, "read the enrolments", func(rows *sql.Rows) error {
		var text sql.RawBytes
		if err := rows.Scan(&text); err != nil {
			return err
		}
		a, err := decode[wire.Enrolled](text)
		if err == nil {
			sel.add(&a)
		}
		return err
	}, "SELECT enrolment FROM agent f"+where.String(), where.args...)
}

func (sel *selection) add(a *wire.Enrolled) {
	row := &wire.AgentImpedance{
		AgentID: a.AgentID, Class: a.Class, Address: a.Address, Ordinal: a.Ordinal,
		Host: a.Host, Labels: a.Labels, Sim: a.Sim,
	}
	sel.enrolled[a.AgentID] = row
	if !sel.selector.Match(row) {
		return
	}
	sel.selected[a.AgentID] = row
	set := sel.ordinals[a.Address.Sector]
	set.Add(a.Ordinal)
	sel.ordinals[a.Address.Sector] = set
}

// narrow adds what SQL can say of the selector: facts of its sectors, and
// those without a place, which may name agents of theirs.
func (sel *selection) narrow(where *conditions) {
	if sel.sectors != nil {
		sel.among(where, append([]int{0}, sel.sectors...))
	}
}

// among adds the condition that a row is of one of the sectors; nil: of any.
func (*selection) among(where *conditions, sectors []int) {
	if sectors == nil {
		return
	}
	args := make([]any, len(sectors))
	for i, n := range sectors {
		args[i] = n
	}
	where.add("f.sector IN ("+strings.Join(slices.Repeat([]string{"?"}, len(args)), ", ")+")", args...)
}

// selects reports whether the fact is about what the selector selects.
func (sel *selection) selects(f *wire.Fact) bool {
	switch {
	case sel.selector.IsMesh():
		return true
	case f.AgentID != "":
		return sel.matchAgent(f)
	}
	switch f.Kind {
	case wire.FactSilent, wire.FactHeard:
		list, err := decode[wire.AgentList](f.Data)
		return err == nil && slices.ContainsFunc(list.Agents, sel.has)
	case wire.FactDelivered:
		d, err := decode[wire.DeliveryFact](f.Data)
		return err == nil && sel.reaches(wire.Targets{{Sector: d.Sector, Agents: d.Agents}})
	case wire.FactOpStarted:
		op, err := decode[wire.Operation](f.Data)
		return err == nil && sel.reaches(op.Targets)
	case wire.FactFreeze, wire.FactThaw, wire.FactFreezeUndone:
		order, err := decode[wire.FreezeOrder](f.Data)
		return err == nil && sel.ordered(&order)
	default:
		return sel.matchPlace(f)
	}
}

// matchAgent asks of the agent at the place that it had then.
func (sel *selection) matchAgent(f *wire.Fact) bool {
	row := wire.AgentImpedance{AgentID: f.AgentID}
	if known := sel.enrolled[f.AgentID]; known != nil {
		row = *known
	}
	if f.Address.Level() == wire.LevelAgent {
		row.Address = f.Address
	}
	if f.Host != "" {
		row.Host = f.Host
	}
	return sel.selector.Match(&row)
}

// matchPlace asks of a fact about a sector, cluster or host; one about the
// whole mesh is about no part of it.
func (sel *selection) matchPlace(f *wire.Fact) bool {
	if f.Address.Level() == wire.LevelMesh && f.Host == "" {
		return false
	}
	return sel.selector.Match(&wire.AgentImpedance{Address: f.Address, Host: f.Host})
}

func (sel *selection) has(agentID string) bool { return sel.selected[agentID] != nil }

// reaches reports whether a set of agents has a selected one.
func (sel *selection) reaches(targets wire.Targets) bool {
	for _, t := range targets {
		both := t.Agents.Clone()
		both.And(sel.ordinals[t.Sector])
		if !both.Empty() {
			return true
		}
	}
	return false
}

// ordered reports whether an order to freeze or thaw covers a selected agent.
func (sel *selection) ordered(o *wire.FreezeOrder) bool {
	if o.Resolved != nil {
		return sel.reaches(o.Resolved)
	}
	covers, err := wire.ParseSelector(o.Selector)
	if err != nil {
		return false
	}
	for row := range maps.Values(sel.selected) {
		if covers.Match(row) {
			return true
		}
	}
	return false
}
