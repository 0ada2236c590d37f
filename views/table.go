package views

import (
	"strconv"

	"mesh30k/meshcore/wire"
)

// table lists agents, of the mesh or a part of it. It draws only the rows that
// are seen, and its cursor stays on an agent, not on a line.
type table struct {
	size
	window
	query  query
	agent  string  // under the cursor
	roster *roster // nil: not there yet
}

func newTable(scope wire.Address) *table {
	// Whoever needs attention first, then by address: rows that stay where they
	// are. By impedance people (class F) would always come first.
	return &table{query: query{scope: scope, sort: byState}}
}

func (t *table) crumb() string {
	if t.query.scope.Level() == wire.LevelMesh {
		return "agents"
	}
	return t.query.scope.String()
}

func (t *table) rows() []*wire.AgentImpedance {
	if t.roster == nil {
		return nil
	}
	return t.roster.rows
}

// take shows a new roster. The agent under the cursor stays under it, and on
// the same line of the screen.
func (t *table) take(r *roster, asked string) {
	line := t.cursor - t.offset
	t.roster = r
	at := r.at
	if asked != t.agent { // the cursor moved meanwhile
		at = -1
		for i, row := range r.rows {
			if row.AgentID == t.agent {
				at = i
				break
			}
		}
	}
	if at >= 0 && t.agent != "" {
		t.cursor = at
		if t.offset > 0 { // who looks at the top goes on seeing the top
			t.offset = at - line
		}
	}
	t.keep(len(r.rows), t.seen())
	t.follow()
}

// follow notes which agent the cursor is on.
func (t *table) follow() {
	t.agent = ""
	if rows := t.rows(); t.cursor < len(rows) {
		t.agent = rows[t.cursor].AgentID
	}
}

// sortBy orders by key, or turns the order round if it is that already. The
// cursor goes to the top: who asks for the slowest wants to see them.
func (t *table) sortBy(key sortKey) {
	t.query.reverse = t.query.sort == key && !t.query.reverse
	t.query.sort = key
	t.cursor, t.offset, t.agent = 0, 0, ""
}

// seen is how many rows are on the screen: the inside without the heading.
func (t *table) seen() int { _, h := t.inner(); return max(1, h-1) }

func (t *table) setSize(w, h int) {
	t.size.setSize(w, h)
	t.keep(len(t.rows()), t.seen())
}

func (t *table) subject() (subject, bool) {
	rows := t.rows()
	if t.cursor >= len(rows) {
		return subject{}, false
	}
	return subject{rows[t.cursor].Address, rows[t.cursor].AgentID}, true
}

func (t *table) open() pane {
	s, ok := t.subject()
	if !ok {
		return nil
	}
	return newAgentPane(s)
}

func (t *table) plan(w, _ int) share {
	// On a narrow terminal columns tell more than a summary.
	return share{rows: 1 << 20, side: w >= 108, events: true}
}

func (t *table) move(m motion) {
	t.window.move(m, len(t.rows()), t.seen())
	t.follow()
}

func (t *table) click(_, y int) {
	if i := y - 2 + t.offset; y >= 2 && i < len(t.rows()) {
		t.cursor = i
		t.follow()
	}
}

func (t *table) draw(f frame) []string {
	w, _ := t.inner()
	columns := columnsFor(w)
	rows := []string{t.heading(f.theme, w, columns)}
	all := t.rows()
	for i := t.offset; i < min(len(all), t.offset+t.seen()); i++ {
		rows = append(rows, agentRow(f.theme, all[i], w, columns, i == t.cursor))
	}
	if len(all) == 0 {
		rows = append(rows, newLine(f.theme, w).gap(2).put(muted, t.emptiness()).String())
	}
	return box(f.theme, t.w, t.h, f.focus, t.title(f.scene), position(t.window, len(all)), rows)
}

// emptiness says why no agent is shown.
func (t *table) emptiness() string {
	switch {
	case t.roster == nil:
		return "looking …"
	case t.roster.note != "":
		return t.roster.note
	case t.query.filter != "":
		return "no agent matches; esc shows all again"
	default:
		return "no agent is here yet"
	}
}

func (t *table) title(s *scene) string {
	title := "agents"
	if t.query.scope.Level() != wire.LevelMesh {
		title = s.placeName(t.query.scope)
	}
	title += " by " + string(t.query.sort)
	if t.query.reverse {
		title += ", reversed"
	}
	if t.query.filter != "" {
		title += "  /" + wire.Clean(t.query.filter)
	}
	return title
}

// column is one column of the table.
type column struct {
	name  string
	width int
	key   sortKey // that orders by it, if one does
	text  func(r *wire.AgentImpedance) (string, ink)
	left  bool
}

// columnsFor chooses the columns that fit, the most telling first.
func columnsFor(w int) []column {
	all := []column{
		{"address", 11, byAddress, func(r *wire.AgentImpedance) (string, ink) { return r.Address.String(), plain }, false},
		{"impedance ms", 14, byImpedance, func(r *wire.AgentImpedance) (string, ink) { return millis(r.ImpedanceMS), scoreInk(r.Score) }, false},
		{"queue", 8, byQueue, func(r *wire.AgentImpedance) (string, ink) { return count(r.QueueDepth), quiet(r.QueueDepth, plain) }, false},
		{"  agent", 16, "", func(r *wire.AgentImpedance) (string, ink) { return "  " + wire.Clean(r.AgentID), plain }, true},
		{"class", 7, "", func(r *wire.AgentImpedance) (string, ink) { return classText(r), muted }, false},
		{"latency ms", 12, byLatency, func(r *wire.AgentImpedance) (string, ink) { return millis(r.LatencyMS), plain }, false},
		{"score", 7, "", func(r *wire.AgentImpedance) (string, ink) { return scoreText(r.Score), scoreInk(r.Score) }, false},
		{"drift", 7, "", func(r *wire.AgentImpedance) (string, ink) { return strconv.FormatFloat(r.Drift, 'f', 2, 64), plain }, false},
		{"reliable", 10, "", func(r *wire.AgentImpedance) (string, ink) { return percent(r.Reliability), plain }, false},
		{"worked", 10, "", func(r *wire.AgentImpedance) (string, ink) { return count(int(r.Worked)), muted }, false},
		{"  host", 24, "", func(r *wire.AgentImpedance) (string, ink) { return "  " + wire.Clean(r.Host), muted }, true},
	}
	used, n := 4, 0 // mark and glyphs
	for n < len(all) && used+all[n].width < w {
		used += all[n].width
		n++
	}
	if n > agentColumn { // names are longest: they get what is left
		all[agentColumn].width += min(w-used-1, 40)
	}
	return all[:n]
}

// agentColumn is the place of the agent's name among the columns.
const agentColumn = 3

func (t *table) heading(th *theme, w int, columns []column) string {
	l := newLine(th, w).gap(4)
	for _, c := range columns {
		k, name := muted, c.name
		if c.key == t.query.sort {
			k = accent
		}
		if c.left {
			l.left(k, name, c.width)
		} else {
			l.right(k, name, c.width)
		}
	}
	return l.String()
}

func agentRow(th *theme, r *wire.AgentImpedance, w int, columns []column, here bool) string {
	l := newLine(th, w)
	mark := " "
	if here {
		mark, l.over = "▸", selected
	}
	glyph, k := stateGlyph(r.State)
	flag, flagInk := flagGlyph(r)
	l.put(plain, mark).put(k, glyph).put(flagInk, flag).gap(1)
	for _, c := range columns {
		text, k := c.text(r)
		if c.left {
			l.left(k, text, c.width)
		} else {
			l.right(k, text, c.width)
		}
	}
	return l.String()
}

// classText is the class, and whether the agent is emulated.
func classText(r *wire.AgentImpedance) string {
	if r.Sim {
		return r.Class.String() + " SIM"
	}
	return r.Class.String()
}

// scoreText shows a score between 0 and 1000; it is kept unclipped (rulings).
func scoreText(score float64) string {
	return strconv.Itoa(int(max(0, min(1000, score))))
}

func scoreInk(score float64) ink {
	if score > 800 { // 4.2: degraded
		return warn
	}
	return plain
}
