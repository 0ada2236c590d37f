package views

import (
	"strconv"
	"strings"

	"mesh30k/meshcore/wire"
)

// heat is the map of all sectors: ten in a row where they fit, so that a
// sector's number tells its place.
type heat struct {
	size
	cursor  int // sector, counted from 1
	offset  int // first row of cells that is seen
	sectors int
	byState bool
}

func newHeat() *heat { return &heat{cursor: 1} }

func (h *heat) crumb() string { return "mesh" }

func (h *heat) subject() (subject, bool) {
	return subject{place: wire.Address{Sector: h.cursor}}, h.sectors > 0
}

func (h *heat) open() pane {
	if h.sectors == 0 {
		return nil
	}
	return newClusters(h.cursor)
}

func (h *heat) plan(w, rows int) share {
	// As high as all cells with their second line, and the frame.
	_, cellH := h.cell(w, rows)
	return share{rows: h.lines(w)*cellH + 2, side: true, events: true}
}

// columns is how many cells stand in a row.
func (h *heat) columns(w int) int {
	return max(1, min(10, (w-2)/5, max(1, h.sectors)))
}

func (h *heat) lines(w int) int { c := h.columns(w); return (h.sectors + c - 1) / c }

// cell is the extent of one cell when the pane may be rows high.
func (h *heat) cell(w, rows int) (cellW, cellH int) {
	cellW = max(5, min(16, (w-2)/h.columns(w)))
	cellH = 1
	if cellW >= 9 {
		cellH = max(1, min(3, (rows-2)/max(1, h.lines(w))))
	}
	return cellW, cellH
}

// know tells the pane how many sectors there are.
func (h *heat) know(sectors int) {
	h.sectors = sectors
	h.cursor = max(1, min(h.cursor, sectors))
}

func (h *heat) setSize(w, rows int) {
	h.size.setSize(w, rows)
	h.follow()
}

// page is how many rows of cells are seen.
func (h *heat) page() int {
	_, cellH := h.cell(h.w, h.h)
	_, inner := h.inner()
	return max(1, inner/cellH)
}

// follow keeps the cursor in sight.
func (h *heat) follow() {
	line := (h.cursor - 1) / h.columns(h.w)
	h.offset = min(h.offset, line)
	h.offset = max(h.offset, line-h.page()+1, 0)
}

func (h *heat) move(m motion) {
	columns := h.columns(h.w)
	to := h.cursor
	switch m {
	case up:
		to -= columns
	case down:
		to += columns
	case left:
		to--
	case right:
		to++
	case pageUp:
		to -= columns * h.page()
	case pageDown:
		to += columns * h.page()
	case home:
		to = 1
	case end:
		to = h.sectors
	}
	if to >= 1 && to <= h.sectors {
		h.cursor = to
	}
	h.follow()
}

func (h *heat) click(x, y int) {
	cellW, cellH := h.cell(h.w, h.h)
	column, line := (x-1)/cellW, (y-1)/cellH+h.offset
	if x < 1 || y < 1 || column >= h.columns(h.w) {
		return
	}
	if n := line*h.columns(h.w) + column + 1; n <= h.sectors {
		h.cursor = n
	}
}

func (h *heat) draw(f frame) []string {
	w, inner := h.inner()
	cellW, cellH := h.cell(h.w, h.h)
	columns := h.columns(h.w)
	var rows []string
	for line := h.offset; line < h.lines(h.w) && len(rows) < inner; line++ {
		first := newLine(f.theme, w)
		second := newLine(f.theme, w)
		for c := range columns {
			n := line*columns + c + 1
			if n > h.sectors {
				break
			}
			h.drawCell(f, first, n, cellW)
			drawActive(second, f.scene.sector(n), cellW)
		}
		rows = append(rows, first.String())
		if cellH >= 2 {
			rows = append(rows, second.String())
		}
		if cellH >= 3 {
			rows = append(rows, strings.Repeat(" ", w))
		}
	}
	title, note := "sectors by impedance · s by state", "▂ the median, "+millis(f.scene.median)+" ms · a step is 19 %"
	if h.byState {
		title, note = "sectors by state · i by impedance", "beside it how many need attention"
	}
	return box(f.theme, h.w, h.h, f.focus, title, note, rows[:min(len(rows), inner)])
}

// drawCell writes cursor, number, glyph and, where it fits, value of sector n.
func (h *heat) drawCell(f frame, l *line, n, cellW int) {
	s := f.scene.sector(n)
	glyph, k, value := h.cellValue(f.scene, s)
	number, numberInk := strconv.Itoa(n), muted
	if n == h.cursor {
		number, numberInk = "▸"+number, plain
		l.over = selected
	}
	l.right(numberInk, number, 4)
	used := 5
	if cellW >= 10 {
		l.gap(1)
		used++
	}
	l.put(k, glyph)
	if cellW >= 9 {
		l.right(k, value, 4)
		used += 4
	}
	l.over = plain
	l.gap(cellW - used)
}

// cellValue is what a cell says of a sector.
func (h *heat) cellValue(s *scene, of wire.SectorSummary) (glyph string, k ink, value string) {
	t := totals(of)
	glyph, k = groupGlyph(t)
	if h.byState {
		if ill := t.AgentCount - t.ActiveCount + t.DegradedCount; ill > 0 {
			value = strconv.Itoa(ill)
		}
		return glyph, k, value
	}
	if glyph == glyphFrozen || glyph == glyphOffline || glyph == glyphEmpty {
		return glyph, k, "—"
	}
	level := s.level(of.MeanMS)
	return blocks[level], levelInk(level), shortMillis(of.MeanMS)
}

// drawActive writes the second line of a cell: how many are active, if not all.
func drawActive(l *line, s wire.SectorSummary, cellW int) {
	text := ""
	if s.ActiveAgents < s.TotalAgents {
		text = strconv.Itoa(s.ActiveAgents) + "/" + strconv.Itoa(s.TotalAgents)
	}
	l.right(warn, text, min(cellW, 10)).gap(cellW - min(cellW, 10))
}

// shortMillis writes a duration in ms in at most four cells; from a second on
// with its unit.
func shortMillis(ms float64) string {
	switch {
	case ms < 999.5:
		return millis(ms)
	case ms < 9950:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
	case ms < 999_500:
		return strconv.Itoa(int(ms/1000+0.5)) + "s"
	default:
		return ">16m"
	}
}
