package wire

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// item adds one value to c.
func (p *selectorParser) item(c *condition, at int, text string) error {
	switch c.field {
	case onSector:
		return p.sector(c, at, text)
	case onCluster:
		return p.place(c, at, text, LevelCluster)
	case onAgent:
		return p.place(c, at, text, LevelAgent)
	case onClass:
		return p.class(c, at, text)
	case onState:
		return p.state(c, at, text)
	case onLabel:
		if len(text) > 256 {
			return p.fail(at, "", "a label's value has at most 256 bytes")
		}
		c.names = append(c.names, text)
		return nil
	case onCapability:
		return p.word(c, at, text, CheckCapability)
	default:
		return p.word(c, at, text, func(s string) error { return CheckName("host", s) })
	}
}

// word adds the name of a host or capability.
func (p *selectorParser) word(c *condition, at int, text string, check func(string) error) error {
	name := strings.ToLower(text)
	if err := check(name); err != nil {
		return p.fail(at, "such as "+examples[c.field], "%v", err)
	}
	c.names = append(c.names, name)
	return nil
}

var (
	numberRange = regexp.MustCompile(`^(\d+) ?- ?(\d+)$`)
	placeSpan   = regexp.MustCompile(`^(\d+\.\d+(?:\.\d+)?) ?- ?(\d+(?:\.\d+){0,2})$`)
	classRange  = regexp.MustCompile(`^(?i:([a-f]) ?- ?([a-f]))$`)
)

// sector reads a number, a range, a name or the specification's SECTOR-12.
func (p *selectorParser) sector(c *condition, at int, text string) error {
	m := numberRange.FindStringSubmatch(text)
	if m == nil {
		a, err := ParseAddress(text)
		switch {
		case err == nil && a.Level() == LevelSector:
			c.spans = append(c.spans, span{a.Sector, a.Sector})
			return nil
		case err == nil:
			return p.otherLevel(at, text, a)
		}
		return p.name(c, at, text, err)
	}
	low, high := placeNumber(m[1]), placeNumber(m[2])
	switch {
	case low == 0 || high == 0:
		return p.fail(at, "such as "+examples[onSector], "range %q: sectors are counted from 1 to at most %d", shorten(text), MaxPlace)
	case low > high:
		return p.fail(at, "want "+strconv.Itoa(high)+"-"+strconv.Itoa(low), "range %q runs backwards", shorten(text))
	}
	c.spans = append(c.spans, span{low, high})
	return nil
}

// placeNumber reads a number that counts places, 0 if it is out of range.
func placeNumber(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > MaxPlace {
		return 0
	}
	return n
}

// place reads a cluster or an agent: an address, a range of them, or a name.
func (p *selectorParser) place(c *condition, at int, text string, level Level) error {
	if m := placeSpan.FindStringSubmatch(text); m != nil {
		return p.placeRange(c, at, text, level, m[1], m[2])
	}
	spelled := text
	if level == LevelCluster && numberRange.MatchString(text) {
		spelled = "cluster " + strings.ReplaceAll(text, " ", "") // the specification's "Cluster 7-4"
	}
	a, err := ParseAddress(spelled)
	switch {
	case err != nil:
		return p.name(c, at, text, err)
	case a.Level() != level:
		return p.otherLevel(at, text, a)
	}
	return p.addPlace(c, at, a)
}

func (p *selectorParser) addPlace(c *condition, at int, a Address) error {
	if p.places++; p.places > maxPlaces {
		return p.fail(at, "name what they have in common, or use a label", "more than %d places", maxPlaces)
	}
	c.places = append(c.places, a)
	return nil
}

// placeRange reads a range of places of one parent: 7.4-7.6, 7.4.12-19.
func (p *selectorParser) placeRange(c *condition, at int, text string, level Level, from, to string) error {
	low, err := ParseAddress(from)
	if err == nil && low.Level() != level {
		return p.otherLevel(at, from, low)
	}
	high := low
	if err == nil && !strings.Contains(to, ".") {
		*high.last() = placeNumber(to)
	} else if err == nil {
		high, err = ParseAddress(to)
	}
	parent, parent2 := low, high
	*parent.last(), *parent2.last() = 0, 0
	switch {
	case err != nil || parent != parent2:
		return p.fail(at, "both ends lie in the same place, such as 7.4.12-7.4.19", "%q is not a range", shorten(text))
	case *low.last() > *high.last():
		return p.fail(at, "want "+high.String()+"-"+low.String(), "range %q runs backwards", shorten(text))
	case *high.last() > MaxChildren:
		return p.fail(at, "", "range %q: a place has at most %d below it", shorten(text), MaxChildren)
	}
	for a := low; *a.last() <= *high.last(); *a.last()++ {
		if err := p.addPlace(c, at, a); err != nil {
			return err
		}
	}
	return nil
}

// name adds the name of a sector or cluster, or an agent's id; err is why it is
// not an address.
func (p *selectorParser) name(c *condition, at int, text string, err error) error {
	if text[0] >= '0' && text[0] <= '9' {
		return p.fail(at, "such as "+examples[c.field], "%v", err)
	}
	name := strings.ToLower(text)
	if bad := CheckName(c.key(), name); bad != nil {
		return p.fail(at, "such as "+examples[c.field], "%v", bad)
	}
	c.names = append(c.names, name)
	return nil
}

func (p *selectorParser) otherLevel(at int, text string, a Address) error {
	hint := "want " + examples[onSector]
	if a.Level() > LevelMesh {
		hint = "want " + fieldNames[a.Level()-LevelSector] + "=" + a.String()
	}
	return p.fail(at, hint, "%q is %s", shorten(text), [...]string{"the mesh", "a sector", "a cluster", "an agent"}[a.Level()])
}

func (p *selectorParser) class(c *condition, at int, text string) error {
	if m := classRange.FindStringSubmatch(text); m != nil {
		low, _ := ParseClass(m[1])
		high, _ := ParseClass(m[2])
		if low > high {
			return p.fail(at, "want "+high.String()+"-"+low.String(), "range %q runs backwards", text)
		}
		for k := low; k <= high; k++ {
			c.flags |= classFlag(k)
		}
		return nil
	}
	k, err := ParseClass(text)
	if err != nil {
		return p.fail(at, "such as "+examples[onClass], "%v", err)
	}
	c.flags |= classFlag(k)
	return nil
}

func (p *selectorParser) state(c *condition, at int, text string) error {
	name := strings.ToLower(text)
	i := slices.Index(stateNames[:], name)
	if i < 0 {
		hint := "states are " + strings.Join(stateNames[:], ", ")
		if near := nearest(name, stateNames[:]); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return p.fail(at, hint, "there is no state %q", shorten(text))
	}
	c.flags |= 1 << i
	return nil
}
