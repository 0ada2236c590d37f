package views

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"mesh30k/meshcore/wire"
)

// View implements [tea.Model].
func (m *model) View() tea.View {
	v := tea.NewView(m.content())
	v.AltScreen = true
	v.MouseMode = tea.MouseModeCellMotion
	v.WindowTitle = "MESH-30K " + m.meshName()
	if m.prompt != nil && !m.tooSmall() {
		if c := m.prompt.input.Cursor(); c != nil {
			c.Y = m.h - 1
			v.Cursor = c
		}
	}
	return v
}

func (m *model) content() string {
	if m.w == 0 || m.h == 0 {
		return ""
	}
	if m.tooSmall() {
		return m.sorry()
	}
	rows := make([]string, 0, m.h)
	rows = append(rows, m.header())
	rows = append(rows, m.body()...)
	if m.card != nil {
		rows = append(rows, m.card.draw(m.live, m.w, m.cardRoom())...)
	}
	return strings.Join(append(rows, m.footer()...), "\n")
}

// sorry is the screen of a terminal that is too small.
func (m *model) sorry() string {
	text := []string{
		"This terminal is " + count(m.w) + "x" + count(m.h) + ".",
		"The console needs " + count(minWidth) + "x" + count(minHeight) + ".",
		"q leaves",
	}
	if !m.readOnly {
		text[2] += "; ^X ^E freezes everything"
	}
	if m.isArmed() {
		text[0] = "ARMED: ^E freezes EVERY agent"
	}
	var rows []string
	for _, s := range text[:min(len(text), m.h)] {
		rows = append(rows, newLine(m.live, m.w).put(plain, s).String())
	}
	return strings.Join(rows, "\n")
}

// theme is grey where the picture is not live.
func (m *model) theme() *theme {
	if m.scene.conn.Up && !m.ended {
		return m.live
	}
	return m.stale
}

// body draws the panes; each only if what it is drawn from has changed.
func (m *model) body() []string {
	l, th := m.layout, m.theme()
	if m.scene.picture == nil && onHeat(m.top()) {
		return m.waitingFor(l)
	}
	f := frame{th, m.scene, m.card == nil && m.prompt == nil}
	key := func(r rect, focus bool) memoKey {
		return memoKey{m.top(), m.scene, th, r.w, r.h, focus, m.touched}
	}
	rows := m.memos.main.draw(key(l.main, f.focus), func() []string { return m.top().draw(f) })
	if l.side.h > 0 {
		side := m.memos.side.draw(key(l.side, false), func() []string {
			s, _ := m.top().subject()
			return drawSide(f, s, l.side.w, l.side.h)
		})
		if l.side.x > 0 {
			rows = beside(rows, side)
		} else {
			rows = append(slices.Clip(rows), side...)
		}
	}
	if l.events.h > 0 {
		feed := m.memos.events.draw(key(l.events, false), func() []string {
			return box(th, l.events.w, l.events.h, false, "events", "", m.ring.draw(th, l.events.w-2, l.events.h-2, 0))
		})
		rows = append(slices.Clip(rows), feed...)
	}
	return rows
}

// waitingFor is the first screen: what is being waited for.
func (m *model) waitingFor(l layout) []string {
	h := m.h - 1 - l.footer - l.card
	text := m.scene.conn.Why
	if text == "" {
		text = m.waiting
	}
	if text == "" {
		text = "waiting for the core …"
	}
	rows := []string{"", newLine(m.live, m.w-2).gap(2).put(strong, text).String()}
	if s := m.scene.stats; s.TotalAgents > 0 {
		rows = append(rows, newLine(m.live, m.w-2).gap(2).put(plain, "agents "+count(s.ActiveAgents)+"/"+count(s.TotalAgents)).String())
	}
	rows[0] = newLine(m.live, m.w-2).String()
	return box(m.live, m.w, h, true, "mesh", "", rows)
}

// header says which mesh this is and how it is. What matters most comes first;
// what does not fit is left out.
func (m *model) header() string {
	s, th := &m.scene.stats, m.theme()
	l := newLine(th, m.w).gap(1)
	if m.isArmed() {
		l.theme = m.live
		return l.put(alarm, " ARMED: ^E freezes EVERY agent · any other key takes it back ").String()
	}
	l.put(strong, "MESH-30K").gap(2).put(accent, m.meshName())
	if s.Sim {
		l.gap(1).put(warn, "SIM")
	}
	if text := m.linkTrouble(); text != "" {
		l.theme = m.live
		l.gap(3).put(bad, glyphFailed+" "+text)
		if why := m.scene.conn.Why; cells(why)+2 <= l.room() {
			l.gap(2).put(muted, why)
		}
		return l.String()
	}
	for _, p := range m.headlines() {
		n := 3
		for _, piece := range p {
			n += cells(piece.text)
		}
		if n > l.room() {
			continue
		}
		l.gap(3)
		for _, piece := range p {
			l.put(piece.ink, piece.text)
		}
	}
	return l.String()
}

// piece is text in one ink.
type piece struct {
	ink  ink
	text string
}

// meshName is empty until the core has said it.
func (m *model) meshName() string {
	if m.scene.stats.Mesh == "" && m.scene.shape != nil {
		return wire.Clean(m.scene.shape.Mesh)
	}
	return m.scene.stats.Mesh
}

// headlines are the header's figures, the most important first. A figure
// without a source is absent.
func (m *model) headlines() (all [][]piece) {
	s := &m.scene.stats
	add := func(p ...piece) { all = append(all, p) }
	if s.Mode != "" {
		glyph, k := modeGlyph(s.Mode)
		add(piece{k, glyph + " " + s.Mode})
	}
	if m.scene.frozen != "" {
		add(piece{cold, glyphFrozen + " " + m.scene.frozen})
	}
	if s.Doubt != "" {
		add(piece{warn, "? " + s.Doubt})
	}
	if old := m.now().Sub(m.scene.at); !m.scene.at.IsZero() && old > 3*time.Second {
		add(piece{warn, "data " + age(old) + " old"})
	}
	if s.TotalAgents > 0 {
		add(piece{plain, count(s.ActiveAgents) + "/" + count(s.TotalAgents)}, piece{muted, " active"})
	} else if m.scene.picture != nil {
		add(piece{muted, "no agents yet"})
	}
	if s.MeanMS > 0 {
		add(piece{plain, millis(s.MeanMS)}, piece{muted, " ms"})
	}
	if m.readOnly {
		add(piece{muted, "read-only"})
	}
	return all
}

// linkTrouble says what is wrong with the console's own link; empty: nothing.
func (m *model) linkTrouble() string {
	switch {
	case m.ended:
		return "no more news of the core; what is shown is of " + clock(m.scene.at)
	case m.scene.conn.Up || m.scene.picture == nil:
		return ""
	}
	seen := m.scene.conn.Since
	if seen.IsZero() {
		seen = m.scene.at
	}
	return "core unreachable, last seen " + clock(seen) + ", trying again"
}

// footer is the status line above the hints; on a low terminal they share one
// line, and what is typed comes before both.
func (m *model) footer() []string {
	hints := m.hints()
	if m.prompt != nil {
		hints = newLine(m.live, m.w).put(plain, strings.TrimRight(wire.Clean(m.prompt.input.View()), " ")).String()
	}
	status := m.statusLine()
	if m.layout.footer == 2 {
		return []string{status, hints}
	}
	if m.prompt == nil && m.status.text != "" {
		return []string{status}
	}
	return []string{hints}
}

func (m *model) statusLine() string {
	l := newLine(m.live, m.w).gap(1)
	if m.prompt != nil && len(m.prompt.choice) > 0 {
		return l.put(muted, m.prompt.offered()).String()
	}
	if m.status.text != "" {
		return l.put(m.status.ink, m.status.text).String()
	}
	for i, p := range m.stack {
		if i > 0 {
			l.put(muted, " › ")
		}
		k := muted
		if i == len(m.stack)-1 {
			k = accent
		}
		l.put(k, p.crumb())
	}
	return l.String()
}

// hints are the keys that do something here.
func (m *model) hints() string {
	l := newLine(m.live, m.w).gap(1)
	const freeze = "^X ^E"
	last := freeze + " freeze everything"
	if m.w < 100 {
		last = freeze + " freeze all"
	}
	if m.readOnly {
		last = ""
	}
	if m.card != nil {
		l.put(accent, "esc").put(muted, " cancel")
	}
	for _, b := range m.keys {
		if m.card != nil || b.hint == "" || !m.offers(b) {
			continue
		}
		if cells(b.show)+cells(b.hint)+3+cells(last) > l.room() {
			break
		}
		l.put(accent, b.show).gap(1).put(muted, b.hint).gap(2)
	}
	if last != "" && l.room() > cells(last) {
		l.gap(l.room()-cells(last)-1).put(accent, freeze).put(muted, strings.TrimPrefix(last, freeze))
	}
	return l.String()
}
