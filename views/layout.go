package views

// The smallest terminal that the console is drawn on.
const (
	minWidth  = 60
	minHeight = 15
)

// rect is a part of the screen.
type rect struct{ x, y, w, h int }

func (r rect) holds(x, y int) bool { return x >= r.x && x < r.x+r.w && y >= r.y && y < r.y+r.h }

// layout says where everything stands. Below the header: the pane on top, with
// a summary of what is selected beside it (below it where the terminal is
// narrow), the feed below, then a card, the status line and the hints. What has
// no room is absent; the pane on top never is.
type layout struct {
	main, side, events rect
	card               int // rows
	footer             int // rows
}

// arrange lays the screen out and tells the pane on top its size.
func (m *model) arrange() {
	if m.w < minWidth || m.h < minHeight {
		return
	}
	if m.prompt != nil {
		m.prompt.input.SetWidth(m.w - 3)
	}
	card := 0
	if m.card != nil {
		card = len(m.card.draw(m.live, m.w, m.cardRoom()))
	}
	m.layout = lay(m.w, m.h, card, m.top())
	m.top().setSize(m.layout.main.w, m.layout.main.h)
}

// cardRoom is how many rows a card may take: the pane on top keeps five.
func (m *model) cardRoom() int { return m.h - 1 - footerRows(m.h) - 5 }

func footerRows(h int) int {
	if h < 20 {
		return 1
	}
	return 2
}

func lay(w, h, card int, top pane) layout {
	l := layout{card: card, footer: footerRows(h)}
	body := h - 1 - l.footer - card
	l.main = rect{0, 1, w, body}
	beside := w >= 100
	if beside {
		l.main.w = w - min(52, max(28, w-92))
	}
	feed := min(max(5, body/4), 14)
	wants := top.plan(l.main.w, body-feed)
	if !wants.side {
		l.main.w = w
	} else if beside {
		l.side = rect{l.main.w, 1, w - l.main.w, body}
	}
	if wants.events && body >= 18 && (beside || !wants.side) {
		l.main.h = min(wants.rows, body-feed)
		l.events = rect{0, 1 + l.main.h, w, body - l.main.h}
		if l.events.h > body/2 { // more feed than half is not worth more than the map
			l.main.h = max(l.main.h, body/2)
			l.events = rect{0, 1 + l.main.h, w, body - l.main.h}
		}
		l.side.h = min(l.side.h, l.main.h)
	}
	if wants.side && !beside && body >= 18 {
		l.main.h = max(12, min(wants.rows, body-9))
		l.side = rect{0, 1 + l.main.h, w, body - l.main.h}
		if l.side.h >= 16 && wants.events {
			l.events = rect{0, l.side.y + 9, w, l.side.h - 9}
			l.side.h = 9
		}
	}
	return l
}
