package views

import (
	"strconv"
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

// draw is the card as a box of w cells and at most that many rows. It shows the
// plan in the core's own words, the same that the command line prints.
func (c *card) draw(t *theme, w, most int) []string {
	rows := c.lines(t, w-2)
	if room := most - 4; len(rows) > room { // frame, question and a blank stay
		rows = rows[:max(1, room)]
	}
	rows = append(rows, newLine(t, w-2).String(), c.question(t, w-2))
	return box(t, w, len(rows)+2, true, wire.Clean(console.Line(c.action)), "", rows)
}

func (c *card) lines(t *theme, w int) []string {
	var rows []string
	if c.again {
		rows = append(rows, newLine(t, w).gap(1).put(warn, "this has changed since it was shown; look at it again").String())
	}
	k := strong
	for _, text := range wrap(wire.CleanBlock(c.plan.Text), w-2) {
		rows = append(rows, newLine(t, w).gap(1).put(k, text).String())
		k = plain
	}
	return rows
}

func (c *card) question(t *theme, w int) string {
	l := newLine(t, w).gap(1)
	if c.plan.Wide {
		l.put(plain, "type ").put(accent, strconv.Itoa(c.plan.Count)).put(plain, " and press enter to "+c.name+": ").put(strong, c.typed+"_")
	} else {
		l.put(accent, "y").put(plain, " "+c.name)
	}
	l.gap(3).put(plain, "[esc cancel]")
	return l.gap(2).put(warn, c.note).String()
}
