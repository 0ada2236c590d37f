package views

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// binding is one line of the table of keys. The table alone decides what a key
// does; the hints below the screen and help are made of it.
type binding struct {
	keys   []string        // as Bubble Tea spells them
	show   string          // as people do
	hint   string          // in the bottom line; empty: only in help
	does   string          // in help
	on     func(pane) bool // nil: everywhere
	change bool            // not offered to who may only read
	run    func(*model) tea.Cmd
}

func onHeat(p pane) bool     { _, ok := p.(*heat); return ok }
func onTable(p pane) bool    { _, ok := p.(*table); return ok }
func onAgent(p pane) bool    { _, ok := p.(*agentPane); return ok }
func notHelp(p pane) bool    { x, ok := p.(*page); return !ok || x.name != "help" }
func notEvents(p pane) bool  { _, ok := p.(*eventsPane); return !ok }
func isOpened(p pane) bool   { return !onHeat(p) }
func hasAgents(p pane) bool  { return onHeat(p) || onClusters(p) }
func onClusters(p pane) bool { _, ok := p.(*clusters); return ok }
func opens(p pane) bool      { return p.open() != nil }

// bindings is the table of keys.
func bindings() []binding {
	return slices.Concat([]binding{
		{keys: []string{"?"}, show: "?", hint: "help", does: "this page", on: notHelp, run: func(m *model) tea.Cmd { return m.push(newPage("help", m.help())) }},
		{keys: []string{"enter"}, show: "enter", hint: "open", does: "open what is selected: sector, cluster, agent", on: opens, run: func(m *model) tea.Cmd { return m.push(m.top().open()) }},
		{keys: []string{"esc"}, show: "esc", hint: "back", does: "back; cancel", on: isOpened, run: (*model).escape},
	}, actionBindings(), []binding{
		{keys: []string{"/"}, show: "/", hint: "filter", does: "filter agents: a part of id, address or host, or a selector such as class=D,impedance>500", run: (*model).filter},
		{keys: []string{"a"}, show: "a", hint: "agents", does: "all agents of the part that is shown", on: hasAgents, run: func(m *model) tea.Cmd { return m.push(newTable(m.scope())) }},
		{keys: []string{":"}, show: ":", hint: "command", does: "command line; tab completes, up recalls", run: func(m *model) tea.Cmd { return m.ask(newPrompt(":", "")) }},
		{keys: []string{"e"}, show: "e", hint: "events", does: "the event feed", on: notEvents, run: func(m *model) tea.Cmd { return m.push(&eventsPane{ring: &m.ring}) }},
		{keys: []string{"r"}, show: "r", hint: "ask again", does: "ask the core again for deliveries and history", on: onAgent, run: (*model).again},
		{keys: []string{"i"}, show: "i", does: "map by impedance", on: onHeat, run: shade(false)},
		{keys: []string{"s"}, show: "s", does: "map by state", on: onHeat, run: shade(true)},
		{keys: []string{"q", "ctrl+c"}, show: "q ^C", does: "leave; the mesh goes on", run: func(*model) tea.Cmd { return tea.Quit }},
	}, sortBindings(), motionBindings())
}

// actionBindings are the keys that lead to an action on what is selected. Each
// shows a card first.
func actionBindings() []binding {
	return []binding{
		{keys: []string{"f"}, show: "f", hint: "freeze", does: "freeze what is selected", change: true, run: func(m *model) tea.Cmd {
			return m.onSubject(func(s wire.Selector) console.Action { return console.Freeze{Target: s} })
		}},
		{keys: []string{"t"}, show: "t", hint: "thaw", does: "thaw what is selected", change: true, run: func(m *model) tea.Cmd {
			return m.onSubject(func(s wire.Selector) console.Action { return console.Thaw{Target: s} })
		}},
		{keys: []string{"u"}, show: "u", hint: "undo", does: "take back your last freeze or thaw", change: true, run: func(m *model) tea.Cmd { return m.act(console.Undo{}, false) }},
		{keys: []string{"b"}, show: "b", does: "broadcast: begins the command line", change: true, run: func(m *model) tea.Cmd { return m.ask(newPrompt(":", "broadcast ")) }},
	}
}

func sortBindings() []binding {
	var all []binding
	for _, s := range []struct {
		key string
		by  sortKey
	}{{"I", byImpedance}, {"S", byState}, {"A", byAddress}, {"Q", byQueue}, {"L", byLatency}} {
		all = append(all, binding{
			keys: []string{s.key}, show: s.key, does: "order agents by " + string(s.by) + "; again: the other way round", on: onTable,
			run: func(m *model) tea.Cmd {
				m.top().(*table).sortBy(s.by)
				return m.refresh()
			},
		})
	}
	return append(all, binding{show: "I S A Q L", hint: "order", on: onTable})
}

func motionBindings() []binding {
	var all []binding
	for _, b := range []struct {
		m    motion
		keys []string
		show string
		does string
	}{
		{up, []string{"up", "k"}, "↑ k", "up"},
		{down, []string{"down", "j"}, "↓ j", "down"},
		{left, []string{"left", "h"}, "← h", "left"},
		{right, []string{"right", "l"}, "→ l", "right"},
		{pageUp, []string{"pgup", "ctrl+b"}, "pgup ^B", "a screen up"},
		{pageDown, []string{"pgdown", "ctrl+f"}, "pgdn ^F", "a screen down"},
		{home, []string{"home", "g"}, "home g", "to the first"},
		{end, []string{"end", "G"}, "end G", "to the last"},
	} {
		all = append(all, binding{keys: b.keys, show: b.show, does: b.does, run: func(m *model) tea.Cmd {
			m.top().move(b.m)
			return nil
		}})
	}
	return all
}

// press sends a key to who it is for: the emergency freeze first, so that it
// works wherever one is, then a card, then the line that is typed, then the pane
// on top.
func (m *model) press(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	if cmd, handled := m.emergency(key); handled {
		return cmd
	}
	switch {
	case key == "ctrl+c":
		return tea.Quit
	case m.tooSmall():
		return m.blindKey(key)
	case m.card != nil:
		return m.cardKey(msg)
	case m.prompt != nil:
		return m.promptKey(msg)
	case !m.welcomed:
		m.welcomed = true
		return m.back()
	}
	for _, b := range m.keys {
		if b.run != nil && slices.Contains(b.keys, key) && m.offers(b) {
			return b.run(m)
		}
	}
	return nil
}

// blindKey is a key that is struck while the terminal is too small to show what
// it would do: it may cancel or leave, and nothing else.
func (m *model) blindKey(key string) tea.Cmd {
	switch key {
	case "q":
		return tea.Quit
	case "esc":
		m.card = nil
	}
	return nil
}

// offers tells whether a key does anything here, for this person.
func (m *model) offers(b binding) bool {
	return (b.on == nil || b.on(m.top())) && (!b.change || !m.readOnly)
}

// escape undoes one step: a filter, else a pane.
func (m *model) escape() tea.Cmd {
	if t, ok := m.top().(*table); ok && t.query.filter != "" {
		t.query.filter = ""
		return m.refresh()
	}
	return m.back()
}

// scope is the part of the mesh whose agents `a` lists: what the pane on top shows.
func (m *model) scope() wire.Address {
	if c, ok := m.top().(*clusters); ok {
		return wire.Address{Sector: c.sector}
	}
	return wire.Address{}
}

func shade(byState bool) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd {
		m.heat.byState = byState
		return nil
	}
}

func (m *model) again() tea.Cmd {
	if p, ok := m.top().(*agentPane); ok {
		p.answer = ""
		return m.inspect(p)
	}
	return nil
}

// paste gives pasted text to the line that is typed, and to nothing else: it
// never acts.
func (m *model) paste(msg tea.PasteMsg) tea.Cmd {
	if m.prompt == nil || m.card != nil {
		return nil
	}
	m.touched++
	return m.edit(tea.PasteMsg{Content: wire.Clean(strings.TrimSpace(msg.Content))})
}

// click selects; it never acts.
func (m *model) click(at tea.Mouse) {
	r := m.layout.main
	if at.Button == tea.MouseLeft && m.card == nil && r.holds(at.X, at.Y) {
		m.top().click(at.X-r.x, at.Y-r.y)
	}
}

func (m *model) wheel(at tea.Mouse) tea.Cmd {
	if m.card != nil {
		return nil
	}
	switch at.Button {
	case tea.MouseWheelUp:
		m.top().move(up)
	case tea.MouseWheelDown:
		m.top().move(down)
	default:
	}
	return nil
}

// help is the page of help, made of the table of keys and the catalog.
func (m *model) help() string {
	var b strings.Builder
	b.WriteString("keys\n\n")
	for _, k := range m.keys {
		if k.does == "" || (k.change && m.readOnly) {
			continue
		}
		b.WriteString("  " + padTo(k.show, 10) + k.does + "\n")
	}
	if !m.readOnly {
		b.WriteString("  " + padTo("^X ^E", 10) + "emergency: freeze every agent, without a card; both within three seconds, from anywhere\n")
	}
	b.WriteString("\nstates\n\n  ● active  ◐ degraded  ≈ unstable  ○ offline  ◆ quarantined  ❄ frozen\n")
	b.WriteString("  ▁▂▃▄▅▆▇█ impedance: ▂ is the median of the sectors, each step 19 % more\n")
	b.WriteString("  impedance is the predicted time from send to READY, in ms; class F, people, is left out of means\n\ncommands, after :\n\n")
	for _, e := range console.Catalog() {
		if e.Risk != console.Read && m.readOnly {
			continue
		}
		b.WriteString("  " + padTo(e.Name, 10) + e.Summary + "\n")
	}
	return b.String()
}

func padTo(s string, n int) string {
	return s + strings.Repeat(" ", max(1, n-cells(s)))
}
