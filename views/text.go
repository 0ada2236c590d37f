package views

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// line builds one row of the screen: exactly width cells, however much is put.
// Text that is put must be clean and without sequences of its own.
type line struct {
	theme *theme
	width int
	over  ink // when not plain, every piece takes this ink
	used  int
	last  string // piece, against which the next must not be drawn as one sign
	b     strings.Builder
}

func newLine(t *theme, width int) *line {
	l := &line{theme: t, width: width, last: " "}
	l.b.Grow(width + 64)
	return l
}

// put appends s; what does not fit is cut and marked.
func (l *line) put(k ink, s string) *line {
	room := l.width - l.used
	if room <= 0 || s == "" {
		return l
	}
	s = apart(l.last, s)
	n := cells(s)
	if n > room {
		s = ansi.Truncate(s, room, "…")
		n = cells(s)
	}
	l.used += n
	l.last = s
	if l.over != plain {
		k = l.over
	}
	l.b.WriteString(l.theme.paint(k, s))
	return l
}

// apart is s, changed if a terminal would draw its beginning onto the end of the
// piece before it: a name that begins with a combining mark would make its row
// narrower than it was measured.
func apart(before, s string) string {
	if s[0] < utf8.RuneSelf || cells(before+s) == cells(before)+cells(s) {
		return s
	}
	_, size := utf8.DecodeRuneInString(s)
	return string(utf8.RuneError) + s[size:]
}

// right appends s at the right end of a field of n cells; numbers line up so.
func (l *line) right(k ink, s string, n int) *line {
	l.gap(n - cells(s))
	return l.put(k, s)
}

// left appends s at the left end of a field of n cells, cut to it.
func (l *line) left(k ink, s string, n int) *line {
	w := cells(s)
	if w > n {
		s = ansi.Truncate(s, n, "…")
		w = cells(s)
	}
	l.put(k, s)
	return l.gap(n - w)
}

// gap appends n blanks.
func (l *line) gap(n int) *line {
	n = min(n, l.width-l.used)
	if n <= 0 {
		return l
	}
	if l.over != plain {
		return l.put(l.over, strings.Repeat(" ", n))
	}
	l.used += n
	l.last = " "
	for range n {
		l.b.WriteByte(' ')
	}
	return l
}

// room is how many cells are left.
func (l *line) room() int { return l.width - l.used }

// String fills the row up with blanks.
func (l *line) String() string {
	l.gap(l.room())
	return l.b.String()
}

// cells is the width of clean text on the screen.
func cells(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// count writes n with thousands separators.
func count(n int) string {
	s := strconv.Itoa(n)
	if n < 0 {
		return "-" + count(-n)
	}
	if len(s) <= 3 {
		return s
	}
	return count(n/1000) + "," + s[len(s)-3:]
}

// millis writes a duration in ms without its unit; a dash when nothing is known.
func millis(ms float64) string {
	switch {
	case ms <= 0 || math.IsNaN(ms) || math.IsInf(ms, 0):
		return "—"
	case ms < 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	default:
		return count(int(math.Round(math.Min(ms, 1e12))))
	}
}

// percent writes a share of 0 to 1.
func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// age writes how long ago something was, coarsely.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	default:
		return strconv.Itoa(int(d.Hours())) + " h " + strconv.Itoa(int(d.Minutes())%60) + " min"
	}
}

// clock writes a time of day.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// wrap breaks clean text of several lines into rows of at most width cells.
func wrap(text string, width int) []string {
	if width < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(strings.TrimRight(text, "\n"), width, " "), "\n")
}
