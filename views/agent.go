package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// agentPane shows all that is known of one agent: its row of the registry, live,
// and below it deliveries and history as inspect answered them.
type agentPane struct {
	scroll
	who    subject
	answer string // of inspect; clean; empty: not there yet
}

func newAgentPane(who subject) *agentPane { return &agentPane{who: who} }

func (a *agentPane) crumb() string            { return a.who.place.String() }
func (a *agentPane) subject() (subject, bool) { return a.who, true }
func (a *agentPane) open() pane               { return nil }
func (a *agentPane) plan(int, int) share      { return share{rows: 1 << 20} }

func (a *agentPane) draw(f frame) []string {
	w, _ := a.inner()
	var rows []string
	var r *wire.AgentImpedance
	if f.scene.picture != nil {
		r = f.scene.picture.Agent(a.who.agent)
	}
	if r == nil {
		rows = append(rows, newLine(f.theme, w).gap(2).put(warn, "the registry has no agent "+wire.Clean(a.who.agent)).String())
	} else {
		rows = agentFields(f, r, w)
	}
	rows = append(rows, newLine(f.theme, w).String(), newLine(f.theme, w).gap(2).put(strong, "as the core answered · r asks again").String())
	answer := a.answer
	if answer == "" {
		answer = "asking …"
	}
	for _, text := range wrap(answer, w-4) {
		rows = append(rows, newLine(f.theme, w).gap(2).put(plain, text).String())
	}
	seen, note := a.show(rows)
	return box(f.theme, a.w, a.h, f.focus, "agent "+a.who.place.String()+"  "+wire.Clean(a.who.agent), note, seen)
}

// inspected reads deliveries and history out of an answer of inspect; the rest of
// it is the row, which the pane has live.
func inspected(out wire.Outcome) string {
	var data struct {
		Rows []console.InspectRow `json:"rows"`
	}
	if err := json.Unmarshal(out.Data, &data); err != nil || len(data.Rows) != 1 {
		return wire.CleanBlock(out.Text)
	}
	var b strings.Builder
	b.WriteString("deliveries\n")
	for _, d := range data.Rows[0].Deliveries {
		fmt.Fprintf(&b, "  %s  %-8s  %-9s  %s %s\n", clock(d.Started), d.State, wire.Clean(d.Action), wire.Clean(d.MessageID), wire.Clean(string(d.Code)))
	}
	if len(data.Rows[0].Deliveries) == 0 {
		b.WriteString("  none since the core's start\n")
	}
	b.WriteString("\nhistory\n")
	for _, f := range data.Rows[0].History {
		fmt.Fprintf(&b, "  %s  %s\n", f.At.Local().Format(time.DateTime), wire.Clean(f.Text))
	}
	if len(data.Rows[0].History) == 0 {
		b.WriteString("  nothing\n")
	}
	return b.String()
}

// field is one fact of 2.3's record.
type field struct {
	name, value string
	ink         ink
}

// agentFields are the members of the record, in one or two columns.
func agentFields(f frame, r *wire.AgentImpedance, w int) []string {
	fields := recordOf(f, r)
	columns := 1
	if w >= 96 {
		columns = 2
	}
	per := (len(fields) + columns - 1) / columns
	rows := make([]string, per)
	for i := range rows {
		l := newLine(f.theme, w)
		for c := range columns {
			if j := c*per + i; j < len(fields) {
				l.gap(2).left(muted, fields[j].name, 13).left(fields[j].ink, fields[j].value, w/columns-16).gap(1)
			}
		}
		rows[i] = l.String()
	}
	return rows
}

func recordOf(f frame, r *wire.AgentImpedance) []field {
	glyph, k := stateGlyph(r.State)
	state := glyph + " " + string(r.State)
	if r.Unstable {
		state += "  " + glyphUnstable + " unstable"
	}
	if r.Frozen {
		state += "  " + glyphFrozen + " frozen"
	}
	kind := r.Class.LongName()
	if r.Sim {
		kind += "  SIM"
	}
	return []field{
		{"state", state, k},
		{"impedance", unit(r.ImpedanceMS) + "   score " + scoreText(r.Score), scoreInk(r.Score)},
		{"latency", unit(r.LatencyMS) + " there and back", plain},
		{"processing", unit(r.ProcessingMS) + " a standard payload", plain},
		{"queue", count(r.QueueDepth) + "   in hand " + count(r.InHand), plain},
		{"worked", count(int(r.Worked)) + " since its start", plain},
		{"reliability", percent(r.Reliability), plain},
		{"drift", strconv.FormatFloat(r.Drift, 'f', 2, 64), plain},
		{"heard", heard(f.scene, r), plain},
		{"class", kind, plain},
		{"host", wire.Clean(r.Host), plain},
		{"incarnation", strconv.FormatUint(r.Incarnation, 10), plain},
		{"capabilities", orNone(wire.Clean(strings.Join(r.Capabilities, " "))), plain},
		{"labels", orNone(labelsOf(r)), plain},
		{"context", orNone(wire.Clean(r.ContextHash)), plain},
		{"holds", orNone(wire.Clean(string(r.Hold))), plain},
	}
}

func unit(ms float64) string {
	if ms <= 0 {
		return "not measured"
	}
	return millis(ms) + " ms"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// heard says when the agent was last heard, against the picture's own time: the
// two come from the same clock.
func heard(s *scene, r *wire.AgentImpedance) string {
	if r.LastHeartbeat.IsZero() {
		return "never"
	}
	text := clock(r.LastHeartbeat)
	if !s.stats.Timestamp.IsZero() {
		text += ", " + age(s.stats.Timestamp.Sub(r.LastHeartbeat)) + " ago"
	}
	return text
}

func labelsOf(r *wire.AgentImpedance) string {
	var all []string
	for k, v := range r.Labels {
		all = append(all, wire.Clean(k)+"="+wire.Clean(v))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
