package console

import (
	"fmt"
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

// Bounds of inspect.
const (
	maxInspected  = 10 // agents
	inspectFacts  = 20 // of each
	inspectRecent = 20 // deliveries of each
)

// InspectRow is all that is known of one agent.
type InspectRow struct {
	AgentID    string                `json:"agent_id"`
	Agent      *wire.AgentImpedance  `json:"agent,omitempty"` // absent of the past: rows are not kept
	Deliveries []wire.DeliveryRecord `json:"deliveries"`
	History    []wire.Fact           `json:"history"`
}

// InspectData is the data of inspect beside its rows.
type InspectData struct {
	Shown int        `json:"shown"`
	Total int        `json:"total"`
	AsOf  *time.Time `json:"as_of,omitempty"`
}

func (c *call) inspect(a Inspect) (wire.Outcome, error) {
	p := c.Mesh.Picture()
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return wire.Outcome{}, err
	}
	rows := rowsOf(p, sel)
	if len(rows) == 0 {
		return wire.Outcome{}, noneMatched(sel)
	}
	d := InspectData{Shown: min(len(rows), maxInspected), Total: len(rows)}
	if !a.At.IsNow() {
		t := a.At.Time(c.now)
		d.AsOf = &t
	}
	for _, r := range rows[:d.Shown] {
		if err := c.inspectOne(r, d.AsOf); err != nil {
			return wire.Outcome{}, err
		}
	}
	text := ""
	if d.Total > d.Shown {
		text = fmt.Sprintf("%s more agents match: list shows them\n", thousands(d.Total-d.Shown))
	}
	return c.outcome(wire.Done, d, text), nil
}

func (c *call) inspectOne(r *wire.AgentImpedance, asOf *time.Time) error {
	until := c.now
	row := InspectRow{AgentID: r.AgentID, Agent: r, Deliveries: []wire.DeliveryRecord{}, History: []wire.Fact{}}
	if asOf != nil {
		until, row.Agent = *asOf, nil
	} else if d := c.Mesh.Deliveries(r.AgentID); d != nil {
		row.Deliveries = d[:min(len(d), inspectRecent)]
	}
	facts, err := c.Past.History(c.ctx, wire.HistoryQuery{AgentID: r.AgentID, Since: time.Unix(0, 0), Until: until, Limit: inspectFacts})
	if err != nil {
		return err
	}
	for _, f := range facts {
		row.History = append(row.History, slim(f, maxFactData/inspectFacts))
	}
	return c.tell.row(&row, c.inspectText(r, &row))
}

func (c *call) inspectText(r *wire.AgentImpedance, row *InspectRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n", r.Address, r.AgentID, r.Class.LongName())
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s%s\n", name, fmt.Sprintf(format, args...))
	}
	if row.Agent == nil {
		line("then", "its row of then is not kept, its history is")
	} else {
		c.registryLines(r, line)
	}
	if len(row.Deliveries) > 0 {
		t := table{head: []string{"MESSAGE", "ACTION", "STATE", "CODE", "STARTED"}}
		for _, d := range row.Deliveries {
			t.add(wire.Clean(d.MessageID), wire.Clean(d.Action), d.State.String(), string(d.Code), c.clock(d.Started))
		}
		block(&b, "deliveries", t.lines())
	}
	if len(row.History) > 0 {
		block(&b, "history", c.factLines(row.History))
	}
	return b.String()
}

// registryLines are the registry's fields, those of 2.3 first.
func (c *call) registryLines(r *wire.AgentImpedance, line func(name, format string, args ...any)) {
	state := string(r.State)
	if f := flagsOf(r); f != "" {
		state += " (" + f + ")"
	}
	line("state", "%s", state)
	line("host", "%s", wire.Clean(r.Host))
	line("heard", "%s", c.ago(r.LastHeartbeat))
	if r.LastHeartbeat.IsZero() {
		return // nothing below has been measured
	}
	line("impedance", "%s, score %.0f", measured(r.ImpedanceMS), r.Score)
	line("latency", "%s there and back", measured(r.LatencyMS))
	line("processing", "%s", measured(r.ProcessingMS))
	line("queue", "%s waiting, %s in hand", thousands(r.QueueDepth), thousands(r.InHand))
	line("reliability", "%.1f%%", 100*r.Reliability)
	line("drift", "%.2f", r.Drift)
	line("worked", "%d since start %d", r.Worked, r.Incarnation)
	if r.ContextHash != "" {
		line("context", "%s", wire.Clean(r.ContextHash))
	}
	if len(r.Capabilities) > 0 {
		line("capabilities", "%s", strings.Join(r.Capabilities, " "))
	}
	for _, k := range sortedKeys(r.Labels) {
		line("label."+k, "%s", wire.Clean(r.Labels[k]))
	}
}

func block(b *strings.Builder, name string, lines []string) {
	fmt.Fprintf(b, "  %s\n", name)
	for _, l := range lines {
		fmt.Fprintf(b, "    %s\n", l)
	}
}
