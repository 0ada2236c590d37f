package views

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// job is something that is being executed.
type job struct {
	name   string
	latest atomic.Pointer[wire.Progress]
	read   bool // it changes nothing: its answer is what was asked for
	page   bool // it was asked for on the command line: its answer may be long
}

type (
	// plannedMsg is a plan, or why there is none.
	plannedMsg struct {
		action console.Action
		plan   wire.Plan
		err    error
		page   bool
		again  bool // it replaces a plan that was stale
		turn   int  // which request it answers
	}
	// progressMsg has the status line look at a job.
	progressMsg struct{ job *job }
	// doneMsg ends a job.
	doneMsg struct {
		job *job
		out wire.Outcome
		err error
	}
)

// act does what was asked: reads at once, changes after a card. page tells that
// the answer may take a pane of its own.
func (m *model) act(a console.Action, page bool) tea.Cmd {
	e := console.EntryOf(a)
	if e.Risk == console.Read {
		return m.run(&job{name: e.Name, read: true, page: page}, func(*job) (wire.Outcome, error) { return m.actions.Read(m.ctx, a) })
	}
	if m.readOnly {
		m.say(warn, e.Name+": this console is read-only")
		return nil
	}
	return m.plan(a, page, false)
}

// plan asks the core what a change would do.
func (m *model) plan(a console.Action, page, again bool) tea.Cmd {
	m.say(muted, "planning "+console.EntryOf(a).Name+" …")
	m.planned++
	turn := m.planned
	return func() tea.Msg {
		plan, err := m.actions.Plan(m.ctx, a)
		return plannedMsg{a, plan, err, page, again, turn}
	}
}

// onSubject acts on what is selected.
func (m *model) onSubject(make func(wire.Selector) console.Action) tea.Cmd {
	s, ok := m.subject()
	if !ok {
		m.say(warn, "nothing is selected")
		return nil
	}
	target, err := wire.ParseSelector(s.target())
	if err != nil {
		m.say(bad, failure(err))
		return nil
	}
	return m.act(make(target), false)
}

// takePlan shows the card, or keeps it back while the person types elsewhere. Only
// the plan that was asked for last counts: no card takes another's place.
func (m *model) takePlan(msg plannedMsg) tea.Cmd {
	if msg.turn != m.planned {
		return nil
	}
	if msg.err != nil {
		m.say(bad, failure(msg.err))
		return nil
	}
	m.say(plain, "")
	c := newCard(msg, m.now())
	if m.prompt != nil {
		m.held = c
		return nil
	}
	m.card = c
	return nil
}

// execute does what the card showed.
func (m *model) execute(c *card) tea.Cmd {
	m.card = nil
	typed := 0
	if c.plan.Wide {
		typed = c.plan.Count
	}
	j := &job{name: c.name, page: c.page}
	return m.run(j, func(j *job) (wire.Outcome, error) {
		out, err := m.actions.Execute(m.ctx, c.plan, typed, func(p wire.Progress) { j.latest.Store(&p) })
		if err == nil && out.Err != nil {
			err = out.Err
		}
		var refused *wire.Error
		if errors.As(err, &refused) && refused.Code == wire.CodeStalePlan {
			err = &stalePlan{c.action, c.page}
		}
		return out, err
	})
}

// stalePlan is a refusal because what the card showed is no longer so. It has to
// be shown anew.
type stalePlan struct {
	action console.Action
	page   bool
}

func (*stalePlan) Error() string { return "what the card showed has changed" }

// run starts a job and looks after it.
func (m *model) run(j *job, work func(*job) (wire.Outcome, error)) tea.Cmd {
	m.jobs = append(m.jobs, j)
	m.say(muted, j.name+" …")
	return tea.Batch(func() tea.Msg {
		out, err := work(j)
		return doneMsg{j, out, err}
	}, m.watch(j))
}

func (m *model) watch(j *job) tea.Cmd {
	return m.after(beat, func(time.Time) tea.Msg { return progressMsg{j} })
}

func (m *model) takeProgress(msg progressMsg) tea.Cmd {
	if !slices.Contains(m.jobs, msg.job) {
		return nil
	}
	if p := msg.job.latest.Load(); p != nil && p.Total > 0 { // others are signs of life
		text := msg.job.name + ": " + count(p.Done) + " of " + count(p.Total)
		if p.Text != "" {
			text += "  " + wire.Clean(p.Text)
		}
		m.say(muted, text)
	}
	return m.watch(msg.job)
}

// takeOutcome says how a job ended.
func (m *model) takeOutcome(msg doneMsg) tea.Cmd {
	m.jobs = slices.DeleteFunc(m.jobs, func(j *job) bool { return j == msg.job })
	if msg.err == nil && msg.out.Err != nil {
		msg.err = msg.out.Err
	}
	if stale, ok := errors.AsType[*stalePlan](msg.err); ok {
		return m.plan(stale.action, stale.page, true)
	}
	if msg.err != nil {
		m.say(bad, msg.job.name+" "+failure(msg.err))
		return nil
	}
	text := wire.CleanBlock(strings.TrimRight(msg.out.Text, "\n"))
	glyph, k := glyphDone, plain
	if msg.out.Verdict != wire.Done {
		glyph, k = "!", warn
	}
	if text == "" {
		text = string(msg.out.Verdict)
	}
	short := glyph + " " + strings.Join(strings.Fields(strings.ReplaceAll(text, "\n", " · ")), " ")
	lines := strings.Contains(text, "\n")
	if msg.job.page && (cells(short) > m.w-2 || msg.job.read && lines) {
		m.touched++
		m.say(k, "")
		return m.push(newPage(msg.job.name, text))
	}
	m.say(k, short)
	return nil
}

// say puts a text into the status line.
func (m *model) say(k ink, text string) { m.status = status{k, text, m.now()} }

// armedFor is how long the second stroke of the emergency freeze is waited for.
const armedFor = 3 * time.Second

// disarmMsg ends the waiting for the second stroke.
type disarmMsg struct{}

// emergency takes the strokes of the emergency freeze; handled tells whether
// the key was one of them.
func (m *model) emergency(key string) (cmd tea.Cmd, handled bool) {
	switch {
	case key == "ctrl+x":
		m.armed = m.now()
		return m.after(armedFor, func(time.Time) tea.Msg { return disarmMsg{} }), true
	case key == "ctrl+e" && m.isArmed():
		m.armed = time.Time{}
		if m.readOnly {
			m.say(warn, "emergency freeze: this console is read-only")
			return nil, true
		}
		return m.run(&job{name: "emergency freeze"}, func(*job) (wire.Outcome, error) {
			return m.actions.Emergency(m.ctx, "emergency freeze from the console")
		}), true
	case m.isArmed():
		m.armed = time.Time{} // any other key takes the first stroke back
	}
	return nil, false
}

func (m *model) isArmed() bool {
	return !m.armed.IsZero() && m.now().Sub(m.armed) < armedFor
}

// disarm forgets the first stroke, unless a newer one is waiting.
func (m *model) disarm() {
	if !m.isArmed() {
		m.armed = time.Time{}
	}
}
