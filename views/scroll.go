package views

// scroll is a pane's place in text that may be longer than the pane.
type scroll struct {
	size
	offset int
	length int // rows of text, as drawn last
}

func (s *scroll) move(m motion) {
	_, h := s.inner()
	switch m {
	case up:
		s.offset--
	case down:
		s.offset++
	case pageUp:
		s.offset -= h
	case pageDown:
		s.offset += h
	case home:
		s.offset = 0
	case end:
		s.offset = s.length
	case left, right: // text is as wide as it is shown
	}
	s.offset = max(0, min(s.offset, s.length-h))
}

func (s *scroll) click(int, int) {}

// show is the part of rows that is seen, and a note on what is not.
func (s *scroll) show(rows []string) (seen []string, note string) {
	_, h := s.inner()
	s.length = len(rows)
	s.offset = max(0, min(s.offset, s.length-h))
	last := min(len(rows), s.offset+h)
	if len(rows) > h {
		note = count(s.offset+1) + " to " + count(last) + " of " + count(len(rows)) + " lines"
	}
	return rows[s.offset:last], note
}

// page shows text: an answer, help, a welcome.
type page struct {
	scroll
	name    string
	text    string // clean
	wrapped []string
	width   int // that wrapped is for
}

func newPage(name, text string) *page { return &page{name: name, text: text} }

func (p *page) crumb() string            { return p.name }
func (p *page) subject() (subject, bool) { return subject{}, false }
func (p *page) open() pane               { return nil }
func (p *page) plan(int, int) share      { return share{rows: 1 << 20} }

func (p *page) draw(f frame) []string {
	w, _ := p.inner()
	if p.width != w {
		p.wrapped, p.width = wrap(p.text, w-2), w
	}
	seen, note := p.show(p.wrapped)
	rows := make([]string, len(seen))
	for i, text := range seen {
		rows[i] = newLine(f.theme, w).gap(1).put(plain, text).String()
	}
	return box(f.theme, p.w, p.h, f.focus, p.name, note, rows)
}

// eventsPane is the whole feed; the newest line is at the bottom.
type eventsPane struct {
	size
	ring *ring
	back int // lines between the newest and the last that is seen
}

func (e *eventsPane) crumb() string            { return "events" }
func (e *eventsPane) subject() (subject, bool) { return subject{}, false }
func (e *eventsPane) open() pane               { return nil }
func (e *eventsPane) plan(int, int) share      { return share{rows: 1 << 20} }
func (e *eventsPane) click(int, int)           {}

func (e *eventsPane) move(m motion) {
	_, h := e.inner()
	switch m {
	case up:
		e.back++
	case down:
		e.back--
	case pageUp:
		e.back += h
	case pageDown:
		e.back -= h
	case home:
		e.back = len(e.ring.all)
	case end:
		e.back = 0
	case left, right: // a line is as wide as it is shown
	}
	e.back = max(0, min(e.back, len(e.ring.all)-h))
}

// hold keeps the same lines in view while n new ones come, once the person has
// scrolled away from the newest.
func (e *eventsPane) hold(n int) {
	if e.back > 0 {
		_, h := e.inner()
		e.back = max(0, min(e.back+n, len(e.ring.all)-h))
	}
}

func (e *eventsPane) draw(f frame) []string {
	w, h := e.inner()
	note := "the last " + count(eventsKept) + "; more in :history"
	if e.back > 0 {
		note = count(e.back) + " newer below"
	}
	return box(f.theme, e.w, e.h, f.focus, "events", note, e.ring.draw(f.theme, w, h, e.back))
}
