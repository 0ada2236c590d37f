package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mesh30k/meshcore/wire"
)

// thousands spells a count as 7.1 does: 29,847.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural spells a count of things: 1 agent, 2,000 agents.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return thousands(n) + " " + thing + "s"
}

// milliseconds spells a duration in ms; short ones with a decimal.
func milliseconds(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	case ms < 10_000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
	default:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + "s"
	}
}

// percent is rounded down, so that 100.0% means all.
func percent(part, whole int) string {
	permille := part * 1000 / whole
	return fmt.Sprintf("%d.%d%%", permille/10, permille%10)
}

// reasons spells counts by reason: "frozen 12, class F 2,000".
func reasons(counts map[string]int) string {
	var parts []string
	for _, why := range sortedReasons(counts) {
		parts = append(parts, wire.Clean(why)+" "+thousands(counts[why]))
	}
	return strings.Join(parts, ", ")
}

// clock spells an instant for people, in the core's time zone.
func (c *call) clock(t time.Time) string {
	t = t.In(c.now.Location())
	if t.Format(time.DateOnly) == c.now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// ago spells how long before now something was.
func (c *call) ago(t time.Time) string {
	d := c.now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s ago"
	default:
		return durationText(d.Truncate(time.Second)) + " ago"
	}
}

// table lays out rows in columns of fixed width; columns whose heading begins
// with ">" are right-aligned. Cells must be clean.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// lines are the heading and the rows.
func (t *table) lines() []string {
	width := make([]int, len(t.head))
	head := make([]string, len(t.head))
	for i, h := range t.head {
		head[i] = strings.TrimPrefix(h, ">")
		width[i] = utf8.RuneCountInString(head[i])
	}
	for _, r := range t.rows {
		for i, cell := range r {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	out := make([]string, 0, len(t.rows)+1)
	for _, r := range append([][]string{head}, t.rows...) {
		var b strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				b.WriteString("  ")
			}
			if strings.HasPrefix(t.head[i], ">") {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		out = append(out, strings.TrimRight(b.String(), " "))
	}
	return out
}

// wrap breaks s between words into lines of at most width runes; a longer word
// stays whole.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for w := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = w
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) <= width:
			line += " " + w
		default:
			lines = append(lines, line)
			line = w
		}
	}
	return append(lines, line)
}

// box frames lines as 7.1 does; a title stands above the rule.
func box(title string, lines []string) string {
	width := 38
	for _, l := range append([]string{title}, lines...) {
		width = max(width, utf8.RuneCountInString(l))
	}
	var b strings.Builder
	rule := strings.Repeat("─", width+2)
	row := func(s string) {
		b.WriteString("│ " + s + strings.Repeat(" ", width-utf8.RuneCountInString(s)) + " │\n")
	}
	b.WriteString("┌" + rule + "┐\n")
	row(title)
	b.WriteString("├" + rule + "┤\n")
	for _, l := range lines {
		row(l)
	}
	b.WriteString("└" + rule + "┘\n")
	return b.String()
}

// planText is a plan for people: the blast radius.
func planText(p *wire.Plan, ch *change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Plan: %s\n", ch.does)
	if p.Count > 0 || len(ch.excluded) > 0 {
		fmt.Fprintf(&b, "  concerns     %s in %s of %s\n", plural(p.Count, "agent"), plural(p.Clusters, "cluster"), plural(len(p.BySector), "sector"))
	}
	if p.Count > 0 {
		fmt.Fprintf(&b, "  by class     %s\n", byClass(p.ByClass))
		fmt.Fprintf(&b, "  work         %s begun now, %s queued\n", thousands(p.WorkingNow), thousands(p.Queued))
		fmt.Fprintf(&b, "  such as      %s\n", strings.Join(p.Sample, " "))
	}
	if len(p.Excluded) > 0 {
		fmt.Fprintf(&b, "  left out     %s\n", reasons(p.Excluded))
	}
	for _, n := range ch.notes {
		fmt.Fprintf(&b, "  note         %s\n", n)
	}
	fmt.Fprintf(&b, "  to reverse   %s\n", p.Reversible)
	fmt.Fprintf(&b, "  plan         %s, %s, holds for %s\n", p.Hash, p.Risk, durationText(PlanLife))
	return b.String()
}

func byClass(counts map[wire.Class]int) string {
	var parts []string
	for _, c := range wire.Classes {
		if n := counts[c]; n > 0 {
			parts = append(parts, c.String()+" "+thousands(n))
		}
	}
	return strings.Join(parts, ", ")
}
