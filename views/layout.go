package views

// The smallest terminal that the console is drawn on.
const (
	minWidth  = 60
	minHeight = 15
)

// What parts of the screen want.
const (
	wideFrom   = 100 // columns from which the summary stands beside the pane
	roomyFrom  = 18  // rows from which anything stands below it
	sideLow    = 9   // rows of a summary that stands below
	paneLeast  = 12  // rows that a pane with a summary below it keeps: the map of 100 sectors
	cardLeaves = 5   // rows that a card leaves to the pane
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

// arrange lays the screen out and tells its parts their sizes.
func (m *model) arrange() {
	if m.tooSmall() {
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

func (m *model) tooSmall() bool { return m.w < minWidth || m.h < minHeight }

// cardRoom is how many rows a card may take.
func (m *model) cardRoom() int { return m.h - 1 - footerRows(m.h) - cardLeaves }

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
	if w < wideFrom {
		l.narrow(top.plan(w, body), body)
		return l
	}
	feed := min(max(5, body/4), 14)
	beside := w - min(52, max(28, w-92))
	wants := top.plan(beside, body-feed)
	if wants.side {
		l.main.w = beside
	}
	if wants.events && body >= roomyFrom {
		// A map that needs less leaves more to the feed, at most half.
		l.main.h = max(min(wants.rows, body-feed), body/2)
		l.events = rect{0, 1 + l.main.h, w, body - l.main.h}
	}
	if wants.side {
		l.side = rect{beside, 1, w - beside, l.main.h}
	}
	return l
}

// narrow puts below the pane what does not fit beside it.
func (l *layout) narrow(wants share, body int) {
	if body < roomyFrom {
		return
	}
	switch {
	case wants.side:
		l.main.h = max(paneLeast, min(wants.rows, body-sideLow))
	case wants.events:
		l.main.h = body - min(max(5, body/4), 14)
	default:
		return
	}
	below := rect{0, 1 + l.main.h, l.main.w, body - l.main.h}
	switch {
	case !wants.side:
		l.events = below
	case wants.events && below.h >= sideLow+7:
		l.side = rect{below.x, below.y, below.w, sideLow}
		l.events = rect{below.x, below.y + sideLow, below.w, below.h - sideLow}
	default:
		l.side = below
	}
}
