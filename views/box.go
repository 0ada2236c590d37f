package views

import "strings"

// box frames rows with a title in its upper and a note in its lower edge: h rows
// of w cells. Rows must be w-2 cells wide; missing ones are blank.
func box(t *theme, w, h int, focus bool, title, note string, rows []string) []string {
	frame := muted
	if focus {
		frame = accent
	}
	out := make([]string, 0, h)
	out = append(out, edge(t, w, frame, "╭", title, "╮", strong))
	side := t.paint(frame, "│")
	for i := range h - 2 {
		if i < len(rows) {
			out = append(out, side+rows[i]+side)
		} else {
			out = append(out, side+strings.Repeat(" ", w-2)+side)
		}
	}
	return append(out, edge(t, w, frame, "╰", note, "╯", muted))
}

// edge is one horizontal side of a box, with text in it.
func edge(t *theme, w int, frame ink, from, text, to string, textInk ink) string {
	l := newLine(t, w-1).put(frame, from)
	if text != "" && w > 6 {
		in := newLine(t, min(cells(text), w-5)).put(textInk, text)
		l.b.WriteString(" " + in.String() + " ")
		l.used += in.width + 2
	}
	l.put(frame, strings.Repeat("─", max(0, l.room())))
	return l.b.String() + t.paint(frame, to)
}

// beside joins blocks of rows of the same height.
func beside(left, right []string) []string {
	out := make([]string, len(left))
	for i := range left {
		out[i] = left[i] + right[i]
	}
	return out
}
