package views

import (
	"mesh30k/meshcore/wire"
)

// pane is one part of the screen. It draws, keeps its own cursor, and knows
// nothing of the others; the model sends it what concerns it.
type pane interface {
	crumb() string
	setSize(w, h int) // outside, frame included
	draw(f frame) []string
	move(m motion)
	click(x, y int) // a cell, counted from the pane's upper left corner
	// subject is what f and t act on; false if the pane shows nothing of the mesh.
	subject() (subject, bool)
	// open is the pane that enter leads to; nil if it leads nowhere.
	open() pane
	// plan is how much of the screen the pane asks for.
	plan(w, h int) share
}

// frame is what a pane is drawn from.
type frame struct {
	theme *theme
	scene *scene
	focus bool
}

// share says how high a pane wants to be at most, and what may stand beside it.
type share struct {
	rows   int
	side   bool // a summary of its subject
	events bool // the feed
}

// motion moves a cursor.
type motion uint8

const (
	up motion = iota
	down
	left
	right
	pageUp
	pageDown
	home
	end
)

// subject is a place, or an agent: that is followed by its id, which stays when
// rows move and seats change.
type subject struct {
	place wire.Address
	agent string
}

// target is the subject as a selector.
func (s subject) target() string {
	switch {
	case s.agent != "":
		return "agent=" + s.agent
	case s.place.Level() == wire.LevelSector:
		return "sector=" + s.place.String()
	case s.place.Level() == wire.LevelCluster:
		return "cluster=" + s.place.String()
	case s.place.Level() == wire.LevelAgent:
		return "agent=" + s.place.String()
	default:
		return "mesh"
	}
}

// size is the part of a pane that remembers its extent.
type size struct{ w, h int }

func (s *size) setSize(w, h int) { s.w, s.h = w, h }

// inner is the room within the frame.
func (s *size) inner() (w, h int) { return max(1, s.w-2), max(1, s.h-2) }

// window is a cursor over n rows of which h are seen. Only those are ever drawn.
type window struct{ cursor, offset int }

// keep puts the cursor within n rows and the window around it.
func (v *window) keep(n, h int) {
	h = max(1, h)
	v.cursor = max(0, min(v.cursor, n-1))
	v.offset = min(v.offset, v.cursor)
	v.offset = max(v.offset, v.cursor-h+1)
	v.offset = max(0, min(v.offset, n-h))
}

func (v *window) move(m motion, n, h int) {
	switch m {
	case up:
		v.cursor--
	case down:
		v.cursor++
	case pageUp:
		v.cursor -= h
	case pageDown:
		v.cursor += h
	case home:
		v.cursor = 0
	case end:
		v.cursor = n - 1
	case left, right: // there is one column
	}
	v.keep(n, h)
}

// memo keeps what a pane drew last, until what it was drawn from changes.
type memo struct {
	key  memoKey
	rows []string
}

// memoKey is all that a drawing depends on. touched rises with every message
// that may have changed a pane itself.
type memoKey struct {
	pane    pane
	scene   *scene
	theme   *theme
	w, h    int
	focus   bool
	touched uint64
}

func (m *memo) draw(k memoKey, draw func() []string) []string {
	if m.rows == nil || m.key != k {
		m.key, m.rows = k, draw()
	}
	return m.rows
}
