package views

import (
	"strings"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// linesKept is how many command lines can be called back.
const linesKept = 100

// prompt is the line that a person types into: a command after ":", a filter
// after "/".
type prompt struct {
	input  textinput.Model
	table  *table   // filter: that is filtered
	choice []string // completions of the last word
	back   int      // command: how many lines back in the past; 0: a new one
	draft  string   // command: the new line while older ones are shown
}

// completedMsg lists what the last word of a line may become.
type completedMsg struct {
	prompt *prompt
	line   string
	words  []string
}

func newPrompt(mark, value string) *prompt {
	p := &prompt{input: textinput.New()}
	p.input.Prompt = mark
	p.input.CharLimit = 4096
	p.input.SetStyles(textinput.Styles{}) // the terminal's own colours, NO_COLOR or not
	p.input.SetVirtualCursor(false)
	p.input.KeyMap.Paste = key.NewBinding() // a paste comes from the terminal
	p.input.Focus()
	p.input.SetValue(value)
	p.input.CursorEnd()
	return p
}

// ask opens the prompt.
func (m *model) ask(p *prompt) tea.Cmd {
	m.prompt = p
	return nil
}

// filter opens the filter of the table on top, or of all agents.
func (m *model) filter() tea.Cmd {
	t, ok := m.top().(*table)
	var cmd tea.Cmd
	if !ok {
		t = newTable(m.scope())
		cmd = m.push(t)
	}
	p := newPrompt("/", t.query.filter)
	p.table = t
	m.prompt = p
	return cmd
}

// closePrompt gives the keys back to the panes, or to a card that has waited.
func (m *model) closePrompt() {
	m.prompt = nil
	if m.held != nil {
		m.card, m.held = m.held, nil
		m.card.since = m.now()
	}
}

func (m *model) promptKey(msg tea.KeyPressMsg) tea.Cmd {
	p := m.prompt
	switch msg.String() {
	case "esc":
		m.closePrompt()
		return p.abandon(m)
	case "enter":
		m.closePrompt()
		if p.table == nil {
			return m.command(p.input.Value())
		}
		return nil
	case "tab":
		return p.complete(m)
	case "up":
		p.recall(m.past, 1)
		return nil
	case "down":
		p.recall(m.past, -1)
		return nil
	}
	return m.edit(msg)
}

// edit gives a key or a paste to the input.
func (m *model) edit(msg tea.Msg) tea.Cmd {
	p := m.prompt
	p.choice = nil
	p.input, _ = p.input.Update(msg)
	return p.changed(m)
}

// changed has the table filtered as it is typed.
func (p *prompt) changed(m *model) tea.Cmd {
	if p.table == nil || p.table.query.filter == p.input.Value() {
		return nil
	}
	p.table.query.filter = p.input.Value()
	return m.refresh()
}

// abandon drops what was typed.
func (p *prompt) abandon(m *model) tea.Cmd {
	if p.table == nil {
		return nil
	}
	p.table.query.filter = ""
	return m.refresh()
}

// command does what a line says.
func (m *model) command(line string) tea.Cmd {
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if len(m.past) == 0 || m.past[len(m.past)-1] != line {
		m.past = append(m.past, line)
		m.past = m.past[max(0, len(m.past)-linesKept):]
	}
	a, err := console.ParseLine(line)
	if err != nil {
		m.say(bad, failure(err))
		return nil
	}
	return m.act(a, true)
}

// recall shows an older line, or a newer one.
func (p *prompt) recall(past []string, step int) {
	if p.table != nil {
		return
	}
	if p.back == 0 {
		p.draft = p.input.Value()
	}
	p.back = max(0, min(len(past), p.back+step))
	value := p.draft
	if p.back > 0 {
		value = past[len(past)-p.back]
	}
	p.input.SetValue(value)
	p.input.CursorEnd()
}

// complete asks what the last word may become. The names of a mesh are many:
// they are looked up in a command.
func (p *prompt) complete(m *model) tea.Cmd {
	if p.table != nil {
		return nil
	}
	line, picture := p.input.Value(), m.scene.picture
	return func() tea.Msg {
		var names console.Names
		if picture != nil {
			names = console.NamesIn(picture)
		}
		return completedMsg{p, line, console.Complete(line, names)}
	}
}

// offer puts a completion in: the word, if there is only one, else what all of
// them begin with, and lists them.
func (p *prompt) offer(msg completedMsg) {
	if p == nil || p != msg.prompt || p.input.Value() != msg.line || len(msg.words) == 0 {
		return
	}
	common := msg.words[0]
	for _, w := range msg.words[1:] {
		for !strings.HasPrefix(w, common) {
			common = common[:len(common)-1]
		}
	}
	if len(msg.words) == 1 {
		p.choice = nil
		if !strings.HasSuffix(common, "=") && !strings.HasSuffix(common, ".") {
			common += " "
		}
	} else {
		p.choice = msg.words
	}
	cut := strings.LastIndexByte(msg.line, ' ') + 1
	p.input.SetValue(msg.line[:cut] + common)
	p.input.CursorEnd()
}

// offered lists the completions in one line.
func (p *prompt) offered() string { return wire.Clean(strings.Join(p.choice, "  ")) }
