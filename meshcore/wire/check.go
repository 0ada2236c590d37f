package wire

import (
	"fmt"
	"math"

	"github.com/go-json-experiment/json/jsontext"
)

// checks collects the first thing that is out of range.
type checks struct{ err error }

func (c *checks) that(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *checks) name(kind, s string) {
	if c.err == nil {
		c.err = CheckName(kind, s)
	}
}

// ms checks a duration in ms: finite, not negative, less than ten years.
func (c *checks) ms(member string, v float64) {
	c.number(member, v, 0, 10*365*24*3600*1000)
}

func (c *checks) number(member string, v, low, high float64) {
	c.that(!math.IsNaN(v) && v >= low && v <= high, "%s: %v is out of range [%v, %v]", member, v, low, high)
}

func (c *checks) place(member string, a Address, level Level) {
	c.that(a.Level() == level, "%s: %q is not the address of a %s", member, a, [...]string{"mesh", "sector", "cluster", "seat"}[level])
}

func (c *checks) text(member, s string, limit int) {
	c.that(len(s) <= limit, "%s: %d bytes is over the limit of %d", member, len(s), limit)
}

// clean makes text for people safe, then checks its length: what is encoded
// again must still be within the limit.
func (c *checks) clean(member string, s *string, limit int) {
	*s = Clean(*s)
	c.text(member, *s, limit)
}

// word checks text for programs, which is never changed: an id, a code, a hash.
func (c *checks) word(member, s string) {
	c.text(member, s, MaxWord)
	c.that(s == Clean(s), "%s: has characters that are not printable", member)
}

func (c *checks) count(member string, n, high int) {
	c.that(n >= 0 && n <= high, "%s: %d is out of range [0, %d]", member, n, high)
}

func (c *checks) value(member string, v jsontext.Value) {
	c.that(len(v) <= MaxBody, "%s: %d bytes is over the limit of %d", member, len(v), MaxBody)
}

func (c *checks) agents(member string, ids []string) {
	c.that(len(ids) <= MaxChildren, "%s: %d is more than a cluster has (%d)", member, len(ids), MaxChildren)
	for _, id := range ids {
		c.name("agent", id)
	}
}
