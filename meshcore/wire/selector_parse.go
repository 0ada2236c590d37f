package wire

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ParseSelector reads a target, in the grammar of actions.md and in every
// spelling of the specification. It also takes a bare place (7, 7.4, 7.4.12,
// SECTOR-12), a bare class (CLASS_D_GPU) and lists of them, ranges of classes
// (A-C), clusters (7.4-7.6) and agents (7.4.12-7.4.19), "ms" behind an
// impedance, and any case. Errors are *[Error] of code bad_message and say
// where, and what would be right.
func ParseSelector(s string) (Selector, error) {
	p := selectorParser{text: s}
	conds, err := p.target()
	if err != nil {
		return Selector{}, err
	}
	sel := Selector{canonical(conds, 0)}
	if n := len(sel.String()); n > MaxSelector {
		return Selector{}, p.fail(0, "name fewer, or use a label", "its canonical form has %d bytes, the limit is %d", n, MaxSelector)
	}
	return sel, nil
}

// selectorParser reads one target. Offsets are bytes of text.
type selectorParser struct {
	text   string
	places int // addresses so far
}

// fail makes an error about what stands at byte offset at.
func (p *selectorParser) fail(at int, hint, format string, args ...any) error {
	shown := p.text
	if len(shown) > 80 {
		shown = shown[:80] + "…"
	}
	err := Errorf(CodeBadMessage, "target %q, character %d: "+format,
		append([]any{Clean(shown), utf8.RuneCountInString(p.text[:at]) + 1}, args...)...)
	if hint != "" {
		err.Hint = hint
	}
	return err
}

const hintTarget = `want "mesh", a place such as 7 or 7.4.12, or conditions such as sector=3-9,class!=F`

func (p *selectorParser) target() ([]condition, error) {
	switch {
	case len(p.text) > MaxSelector:
		return nil, p.fail(0, "name fewer, or use a label", "it has %d bytes, the limit is %d", len(p.text), MaxSelector)
	case !utf8.ValidString(p.text) || !isClean(p.text, false):
		return nil, p.fail(0, hintTarget, "it has characters that are not printable")
	case strings.TrimSpace(p.text) == "":
		return nil, p.fail(0, hintTarget, "it is empty")
	case strings.Count(p.text, ",") >= maxConditions:
		return nil, p.fail(0, "put values of one condition into one list, with |", "it has more than %d conditions", maxConditions)
	}
	var conds []condition
	var bare [onLabel + 1]bool
	for at, part := range pieces(p.text, 0, ",") {
		if strings.EqualFold(part, "mesh") {
			continue // changes nothing
		}
		if part == "" {
			return nil, p.fail(at, hintTarget, "a condition is missing")
		}
		c, err := p.condition(at, part)
		if err != nil {
			return nil, err
		}
		if !strings.ContainsAny(part, "=<>") {
			if bare[c.field] {
				return nil, p.fail(at, "for either write "+c.field.String()+"=…|…", "nothing is in two of them at once")
			}
			bare[c.field] = true
		}
		conds = append(conds, c)
	}
	return conds, nil
}

// pieces yields what lies between separators, without the spaces around it, and
// where it stands in the whole text, in which s begins at offset at.
func pieces(s string, at int, separator string) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		for more := true; more; {
			var piece string
			whole := len(s)
			piece, s, more = strings.Cut(s, separator)
			left := strings.TrimLeft(piece, " ")
			if !yield(at+len(piece)-len(left), strings.TrimRight(left, " ")) {
				return
			}
			at += whole - len(s)
		}
	}
}

// condition reads one condition that stands at byte offset at.
func (p *selectorParser) condition(at int, text string) (c condition, err error) {
	i := strings.IndexAny(text, "=!<>")
	if i < 0 {
		if c.field, err = p.bare(at, text); err != nil {
			return c, err
		}
		return c, p.list(&c, at, text)
	}
	if err := p.key(&c, at, strings.TrimRight(text[:i], " ")); err != nil {
		return c, err
	}
	rest, err := p.operator(&c, at+i, text[i:])
	if err != nil {
		return c, err
	}
	at += len(text) - len(rest)
	if c.field == onImpedance {
		return c, p.bound(&c, at, strings.TrimSpace(rest))
	}
	return c, p.list(&c, at, rest)
}

// operator reads c's operator at the beginning of text and returns what follows it.
func (p *selectorParser) operator(c *condition, at int, text string) (rest string, err error) {
	op := slices.IndexFunc(operatorNames[:], func(name string) bool { return strings.HasPrefix(text, name) })
	if op < 0 {
		return "", p.fail(at, "to exclude write "+c.key()+"!=…", `a lone "!"`)
	}
	c.op, rest = operator(op), text[len(operatorNames[op]):]
	switch {
	case strings.HasPrefix(rest, "="):
		return "", p.fail(at, "want one of = != > <", "%q is no operator", c.op.String()+"=")
	case c.field == onImpedance && c.op < above:
		return "", p.fail(at, "want impedance>500 or impedance<500, in ms", "impedance cannot be asked for with %s", c.op)
	case c.field != onImpedance && c.op >= above:
		return "", p.fail(at, "want "+c.key()+"=… or "+c.key()+"!=…; only impedance has > and <", "%s cannot be asked for with %s", c.key(), c.op)
	}
	return rest, nil
}

// bare tells what a condition without an operator is about.
func (p *selectorParser) bare(at int, text string) (field, error) {
	first, _, _ := strings.Cut(text, "|")
	first = strings.TrimSpace(first)
	if len(first) > 5 && strings.EqualFold(first[:6], "class_") {
		return onClass, nil
	}
	low, _, _ := strings.Cut(first, "-")
	for _, s := range []string{first, strings.TrimSpace(low)} {
		if a, err := ParseAddress(s); err == nil {
			return [...]field{onSector, onSector, onCluster, onAgent}[a.Level()], nil
		}
	}
	if first != "" && first[0] >= '0' && first[0] <= '9' {
		return 0, p.fail(at, "places are counted from 1: a sector (7), a cluster (7.4) or an agent (7.4.12)", "%q is not a place", shorten(first))
	}
	hint := hintTarget
	if CheckName("", strings.ToLower(first)) == nil {
		hint = "say what it is: host=" + strings.ToLower(first) + ", agent=" + strings.ToLower(first) + " or another condition"
	}
	return 0, p.fail(at, hint, "%q is not a condition", shorten(first))
}

// key reads the name of a condition.
func (p *selectorParser) key(c *condition, at int, key string) error {
	lower := strings.ToLower(key)
	if name, ok := strings.CutPrefix(lower, "label."); ok {
		c.field, c.label = onLabel, name
		if err := CheckName("label", name); err != nil {
			return p.fail(at, "such as label.region=eu", "%v", err)
		}
		return nil
	}
	i := slices.Index(fieldNames[:onLabel], lower)
	if i < 0 {
		hint := "conditions are " + strings.Join(fieldNames[:onLabel], ", ") + " and label.NAME"
		if near := nearest(lower, fieldNames[:onLabel]); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return p.fail(at, hint, "there is no condition %q", shorten(key))
	}
	c.field = field(i)
	return nil
}

// bound reads an impedance in ms.
func (p *selectorParser) bound(c *condition, at int, text string) error {
	digits := strings.TrimSpace(strings.TrimSuffix(strings.ToLower(text), "ms"))
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 1e9 || strings.ContainsAny(digits, "_xXpP+") {
		return p.fail(at, "such as impedance>500, in ms, 0 to 1000000000", "%q is not an impedance", shorten(text))
	}
	c.bound = math.Abs(v) // -0 is 0
	return nil
}

// list reads the values of a condition.
func (p *selectorParser) list(c *condition, at int, text string) error {
	for at, item := range pieces(text, at, "|") {
		if item == "" {
			return p.fail(min(at, len(p.text)), "such as "+examples[c.field], "a value of %s is missing", c.key())
		}
		if err := p.item(c, at, item); err != nil {
			return err
		}
	}
	c.spans = joinSpans(c.spans)
	c.places = sortedSet(c.places, Address.Compare)
	c.names = sortedSet(c.names, strings.Compare)
	return nil
}

var examples = [...]string{
	"sector=7, sector=3|9 or sector=10-20", "cluster=7.4", "agent=7.4.12", "host=pi-kitchen", "class=D or class=A|B",
	"state=quarantined", "capability=llm_inference", "impedance>500", "label.region=eu",
}

// shorten keeps an excerpt for an error.
func shorten(s string) string {
	if len(s) > 64 {
		return Clean(strings.ToValidUTF8(s[:64], "")) + "…"
	}
	return Clean(s)
}

// nearest finds the name that s is most likely a slip of, or "".
func nearest(s string, names []string) (best string) {
	if len(s) > 20 {
		return ""
	}
	least := 3
	for _, name := range names {
		if d := distance(s, name); d < least && d < len(name)/2 {
			best, least = name, d
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with their
// neighbour that make a into b.
func distance(a, b string) int {
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			this[j] = min(last[j]+1, this[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}
