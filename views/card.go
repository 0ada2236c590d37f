package views

import (
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// quietFor is how long a card takes no confirmation after it appeared: what is
// typed in that time was meant for something else.
const quietFor = 400 * time.Millisecond

// card shows what a change would do, before it is done. It is cancelled unless
// the person confirms: with the number of agents where the change is wide, else
// with y. Neither is ever the key that asked for the change.
type card struct {
	action console.Action
	name   string
	plan   wire.Plan
	page   bool // the outcome may take a pane of its own
	again  bool // an earlier card showed what is no longer so
	since  time.Time
	typed  string
	note   string // what was wrong with the last key
}

func newCard(msg plannedMsg, now time.Time) *card {
	return &card{action: msg.action, name: console.EntryOf(msg.action).Name, plan: msg.plan, page: msg.page, again: msg.again, since: now}
}

// cardKey gives a key to the card.
func (m *model) cardKey(msg tea.KeyPressMsg) tea.Cmd {
	c, key := m.card, msg.String()
	switch {
	case key == "esc":
		m.card = nil
		m.say(muted, c.name+" cancelled; nothing was changed")
	case m.now().Sub(c.since) < quietFor:
		// Meant for what was on the screen before.
	case c.plan.Wide:
		return m.wideKey(c, key)
	case key == "y":
		return m.execute(c)
	case key == "n":
		m.card = nil
		m.say(muted, c.name+" cancelled; nothing was changed")
	default:
		c.note = "y to " + c.name + ", esc to cancel"
	}
	return nil
}

func (m *model) wideKey(c *card, key string) tea.Cmd {
	c.note = ""
	switch {
	case len(key) == 1 && (key >= "0" && key <= "9") && len(c.typed) < 9:
		c.typed += key
	case key == "," && c.typed != "":
		// As the number is written on the card; its separators do not count.
	case key == "backspace" && c.typed != "":
		c.typed = c.typed[:len(c.typed)-1]
	case key == "enter" && c.typed == strconv.Itoa(c.plan.Count):
		return m.execute(c)
	case key == "enter":
		c.note = "that is not " + count(c.plan.Count)
		c.typed = ""
	default:
		c.note = "type " + count(c.plan.Count) + ", or esc to cancel"
	}
	return nil
}

// draw is the card as a box of w cells and at most that many rows.
func (c *card) draw(t *theme, w, most int) []string {
	rows := c.rows(t, w-2)
	if over := len(rows) + 2 - most; over > 0 && over < len(rows)-2 {
		// The first line and the question stay.
		rows = append(rows[:1:1], rows[1+over:]...)
	}
	title := c.name
	if line := console.Line(c.action); line != "" {
		title = wire.Clean(line)
	}
	return box(t, w, len(rows)+2, true, title, "", rows)
}

func (c *card) rows(t *theme, w int) []string {
	p := &c.plan
	row := func(k ink, text string) string { return newLine(t, w).gap(1).put(k, text).String() }
	head := console.EntryOf(c.action).Summary
	if p.Count > 0 {
		head = agentsText(p.Count) + " in " + clustersText(p.Clusters) + " · " + head
	}
	rows := []string{row(strong, head)}
	if c.again {
		rows = append(rows, row(warn, "this has changed since it was shown; look at it again"))
	}
	if classes := classesText(p); classes != "" {
		rows = append(rows, row(plain, "  "+classes))
	}
	if p.Count > 0 && p.Count <= len(p.Sample) {
		rows = append(rows, row(plain, "  "+wire.Clean(strings.Join(p.Sample, " "))))
	}
	if left := excludedText(p); left != "" {
		rows = append(rows, row(warn, "  left out: "+left))
	}
	rows = append(rows, row(muted, takeBack(p)+" · plan "+shortHash(p.Hash)+", valid until "+clock(p.Expires)))
	return append(rows, newLine(t, w).String(), c.question(t, w))
}

func (c *card) question(t *theme, w int) string {
	l := newLine(t, w).gap(3)
	if c.plan.Wide {
		l.put(plain, "type ").put(accent, strconv.Itoa(c.plan.Count)).put(plain, " and press enter to "+c.name+": ").put(strong, c.typed+"_")
	} else {
		l.put(accent, "y").put(plain, " "+c.name)
	}
	l.gap(4).put(plain, "[ esc  cancel ]")
	return l.gap(2).put(warn, c.note).String()
}

// takeBack says how the change can be undone, or that it cannot.
func takeBack(p *wire.Plan) string {
	text := wire.Clean(p.Reversible)
	if text == "" || strings.HasPrefix(text, "cannot") {
		return text
	}
	return "to take it back: " + text
}

func agentsText(n int) string {
	if n == 1 {
		return "1 agent"
	}
	return count(n) + " agents"
}

func clustersText(n int) string {
	if n == 1 {
		return "1 cluster"
	}
	return count(n) + " clusters"
}

func classesText(p *wire.Plan) string {
	var parts []string
	for _, class := range wire.Classes {
		if n := p.ByClass[class]; n > 0 {
			parts = append(parts, class.String()+" "+count(n))
		}
	}
	text := strings.Join(parts, "  ")
	if p.WorkingNow > 0 || p.Queued > 0 {
		text += " · working now " + count(p.WorkingNow) + " · queued " + count(p.Queued)
	}
	return strings.TrimPrefix(text, " · ")
}

func excludedText(p *wire.Plan) string {
	var parts []string
	for _, why := range sorted(p.Excluded) {
		parts = append(parts, count(p.Excluded[why])+" "+wire.Clean(why))
	}
	return strings.Join(parts, ", ")
}

// shortHash is enough of a plan's hash to compare it with another.
func shortHash(hash string) string {
	hash = wire.Clean(hash)
	return hash[:min(8, len(hash))]
}
