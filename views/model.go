package views

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// model is the one model of the program. Its Update only routes: each case is
// one call.
type model struct {
	ctx      context.Context
	actions  Actions
	readOnly bool
	waiting  string
	listen   tea.Cmd                                              // waits for the feed's next scene
	now      func() time.Time                                     // this machine's clock
	after    func(time.Duration, func(time.Time) tea.Msg) tea.Cmd // a timer's message

	live, stale *theme
	keys        []binding

	w, h    int
	layout  layout
	scene   *scene
	ended   bool // the feed has ended
	ring    ring
	heat    *heat
	stack   []pane // the last is on top; the first is heat
	touched uint64
	memos   struct{ main, side, events memo }

	prompt     *prompt
	card       *card
	planned    int   // plans that were asked for
	held       *card // waits until the prompt is closed: a card never takes keys that were meant for it
	armed      time.Time
	status     status
	jobs       []*job
	past       []string // command lines, the newest last
	collecting bool
	welcomed   bool // no welcome is shown
}

// status is the line that says what became of the last thing done.
type status struct {
	ink  ink
	text string
	at   time.Time
}

// How long the status line keeps a text: until then nothing but a newer text
// takes its place. What went wrong stays until a key after that.
const (
	statusRead = 3 * time.Second
	statusOver = 10 * time.Second
)

// fade clears a status line that has been there long enough.
func (m *model) fade(pressed bool) {
	old := m.now().Sub(m.status.at)
	calm := m.status.ink != bad && m.status.ink != warn
	if len(m.jobs) == 0 && (pressed && old > statusRead || calm && old > statusOver) {
		m.status.text = ""
	}
}

func newModel(ctx context.Context, o Options) *model {
	m := &model{
		ctx: ctx, actions: o.Actions, readOnly: o.ReadOnly, waiting: wire.Clean(o.Waiting),
		now: time.Now, after: afterIn(ctx),
		live: colours(), keys: bindings(),
		scene: &scene{}, heat: newHeat(), welcomed: o.Welcome == "",
	}
	if o.NoColor {
		m.live = plainTheme()
	}
	m.stale = m.live.greyed()
	m.stack = []pane{m.heat}
	if !m.welcomed {
		m.stack = append(m.stack, newPage("welcome", wire.CleanBlock(o.Welcome)))
	}
	return m
}

// afterIn is tea.Tick that does not outlive ctx.
func afterIn(ctx context.Context) func(time.Duration, func(time.Time) tea.Msg) tea.Cmd {
	return func(d time.Duration, msg func(time.Time) tea.Msg) tea.Cmd {
		timer := time.NewTimer(d)
		return func() tea.Msg {
			defer timer.Stop()
			select {
			case at := <-timer.C:
				return msg(at)
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// tickMsg comes each second: ages grow, and tables look whether they are behind.
type tickMsg struct{}

func (m *model) tick() tea.Cmd {
	return m.after(time.Second, func(time.Time) tea.Msg { return tickMsg{} })
}

// Init implements [tea.Model].
func (m *model) Init() tea.Cmd { return tea.Batch(m.listen, m.tick()) }

// Update implements [tea.Model].
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	cmd := m.route(msg)
	m.arrange()
	return m, cmd
}

func (m *model) route(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.KeyPressMsg:
		m.touched++
		m.fade(true)
		return m.press(msg)
	case tea.PasteMsg:
		return m.paste(msg)
	case tea.MouseClickMsg:
		m.touched++
		m.click(msg.Mouse())
	case tea.MouseWheelMsg:
		m.touched++
		return m.wheel(msg.Mouse())
	case sceneMsg:
		return tea.Batch(m.take(msg), m.listen)
	case feedEndedMsg:
		m.ended = true
	case tickMsg:
		m.fade(false)
		return tea.Batch(m.tick(), m.refresh())
	case rosterMsg:
		return m.takeRoster(msg)
	case inspectedMsg:
		m.touched++
		msg.pane.answer = msg.text
	case plannedMsg:
		return m.takePlan(msg)
	case progressMsg:
		return m.takeProgress(msg)
	case doneMsg:
		return m.takeOutcome(msg)
	case completedMsg:
		m.prompt.offer(msg)
	case disarmMsg:
		m.disarm()
	}
	return nil
}

// take shows a new scene.
func (m *model) take(msg sceneMsg) tea.Cmd {
	first := m.scene.picture == nil && msg.scene.picture != nil
	m.scene = msg.scene
	m.ring.add(msg.events)
	m.heat.know(len(m.scene.sectors))
	for _, p := range m.stack {
		switch p := p.(type) {
		case *clusters:
			p.know(m.scene)
		case *eventsPane:
			p.hold(len(msg.events))
		}
	}
	if first {
		return m.refresh()
	}
	return nil
}

// top is the pane that keys go to.
func (m *model) top() pane { return m.stack[len(m.stack)-1] }

// push opens a pane above the others, and asks for what it needs.
func (m *model) push(p pane) tea.Cmd {
	if p == nil {
		return nil
	}
	m.stack = append(m.stack, p)
	switch p := p.(type) {
	case *clusters:
		p.know(m.scene)
	case *table:
		return m.refresh()
	case *agentPane:
		return m.inspect(p)
	}
	return nil
}

// back closes the pane on top; the heatmap stays.
func (m *model) back() tea.Cmd {
	if len(m.stack) > 1 {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return m.refresh()
}

// subject is what f and t act on: what the uppermost pane that shows a part of
// the mesh has selected.
func (m *model) subject() (subject, bool) {
	for _, v := range slices.Backward(m.stack) {
		switch v.(type) {
		case *page, *eventsPane:
			continue
		}
		return v.subject()
	}
	return subject{}, false
}

// rosterMsg is the answer to a table's query.
type rosterMsg struct {
	table  *table
	roster *roster
	asked  string // id under the cursor when it was asked
}

// refresh has the table on top collected anew, if it is behind.
func (m *model) refresh() tea.Cmd {
	t, ok := m.top().(*table)
	if !ok || m.collecting || m.scene.picture == nil {
		return nil
	}
	if t.roster != nil && t.roster.query == t.query && t.roster.scene == m.scene {
		return nil
	}
	m.collecting = true
	s, q, agent := m.scene, t.query, t.agent
	return func() tea.Msg { return rosterMsg{t, collect(s, q, agent), agent} }
}

func (m *model) takeRoster(msg rosterMsg) tea.Cmd {
	m.collecting = false
	m.touched++
	if msg.roster.query == msg.table.query {
		msg.table.take(msg.roster, msg.asked)
		return nil
	}
	return m.refresh() // the query changed meanwhile
}

// inspectedMsg is what inspect says of an agent.
type inspectedMsg struct {
	pane *agentPane
	text string
}

// inspect asks the core for an agent's deliveries and history.
func (m *model) inspect(p *agentPane) tea.Cmd {
	return func() tea.Msg {
		target, err := wire.ParseSelector(p.who.target())
		if err != nil {
			return inspectedMsg{p, failure(err)}
		}
		out, err := m.actions.Read(m.ctx, console.Inspect{Target: target})
		if err == nil && out.Err != nil {
			err = out.Err
		}
		if err != nil {
			return inspectedMsg{p, failure(err)}
		}
		return inspectedMsg{p, inspected(out)}
	}
}

// failure is an error as the screen shows it.
func failure(err error) string { return glyphFailed + " " + wire.Clean(err.Error()) }
