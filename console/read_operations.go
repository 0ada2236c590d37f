package console

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// OperationRow is a row of list --what operations.
type OperationRow struct {
	Operation  string         `json:"operation"`
	Action     string         `json:"action"`
	Actor      string         `json:"actor"`
	Started    time.Time      `json:"started"`
	Deadline   time.Time      `json:"deadline"`
	Addressed  int            `json:"addressed"`
	Verdict    wire.Verdict   `json:"verdict,omitempty"` // absent: it goes on
	Why        string         `json:"why,omitempty"`
	Counts     map[string]int `json:"counts,omitempty"`
	DurationMS float64        `json:"duration_ms,omitzero"`
}

// listOperations lists the last operations, newest first, as they were known at
// the given time.
func (c *call) listOperations(p Picture, sel wire.Selector, a List) (wire.Outcome, error) {
	until := a.At.Time(c.now)
	q := wire.HistoryQuery{Since: time.Unix(0, 0), Until: until, Limit: 1000, Kind: wire.FactOpEnded}
	ended, err := c.Past.History(c.ctx, q)
	if err != nil {
		return wire.Outcome{}, err
	}
	ends := map[string]wire.OperationEnd{}
	for _, f := range ended {
		var e wire.OperationEnd
		if json.Unmarshal(f.Data, &e) == nil { // an unreadable end is none
			ends[e.ID] = e
		}
	}
	q.Kind = wire.FactOpStarted
	started, err := c.Past.History(c.ctx, q)
	if err != nil {
		return wire.Outcome{}, err
	}
	var members wire.Targets
	if !sel.IsMesh() {
		members = setOf(rowsOf(p, sel))
	}
	var rows []OperationRow
	for _, f := range started {
		var op wire.Operation
		if json.Unmarshal(f.Data, &op) == nil && (sel.IsMesh() || meet(op.Targets, members)) {
			rows = append(rows, operationRow(op, ends))
		}
	}
	return c.showOperations(rows, a)
}

func operationRow(op wire.Operation, ends map[string]wire.OperationEnd) OperationRow {
	r := OperationRow{
		Operation: op.ID, Action: op.Action, Actor: op.Actor,
		Started: op.Started, Deadline: op.Deadline, Addressed: op.Addressed.Len(),
	}
	if e, ok := ends[op.ID]; ok {
		r.Verdict, r.Why, r.Counts, r.DurationMS = e.Verdict, e.Why, e.Counts, e.Duration
	}
	return r
}

// meet reports whether two sets have an agent in common.
func meet(a, b wire.Targets) bool {
	for _, s := range a {
		both := s.Agents.Clone()
		both.And(b.Sector(s.Sector))
		if !both.Empty() {
			return true
		}
	}
	return false
}

func (c *call) showOperations(rows []OperationRow, a List) (wire.Outcome, error) {
	slices.SortStableFunc(rows, func(x, y OperationRow) int { return y.Started.Compare(x.Started) })
	shown := rows[:min(a.Limit, len(rows))]
	t := table{head: []string{"OPERATION", "ACTION", "ACTOR", "STARTED", ">ADDRESSED", "VERDICT", "STATES"}}
	for _, r := range shown {
		verdict := string(r.Verdict)
		if verdict == "" {
			verdict = "goes on"
		}
		t.add(r.Operation, r.Action, wire.Clean(r.Actor), c.clock(r.Started), thousands(r.Addressed), verdict, strings.ToLower(reasons(r.Counts)))
	}
	lines := t.lines()
	c.tell.line(lines[0])
	for i, r := range shown {
		if err := c.tell.row(r, lines[i+1]); err != nil {
			return wire.Outcome{}, err
		}
	}
	var asOf *time.Time
	if !a.At.IsNow() {
		t := a.At.Time(c.now)
		asOf = &t
	}
	return c.listed(a, len(shown), len(rows), asOf), nil
}
