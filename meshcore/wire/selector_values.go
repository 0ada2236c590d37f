package wire

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// values is the list of a condition, as a set. A field uses some of the parts:
// a sector spans and names, a cluster or agent places and names, a class or
// state flags, all others names.
type values struct {
	spans  spans     // ascending, apart, none touching the next
	places []Address // ascending
	names  []string  // ascending
	flags  uint8     // bit i: class or state i
}

func (v *values) empty() bool {
	return len(v.spans) == 0 && len(v.places) == 0 && len(v.names) == 0 && v.flags == 0
}

// named and numbered tell that v has items of this sort only, so that sets of
// the same sort can be compared: whether sector 7 is the one that is called
// "north" is not known before [Selector.Resolve].
func (v *values) named() bool    { return len(v.spans) == 0 && len(v.places) == 0 && v.flags == 0 }
func (v *values) numbered() bool { return len(v.names) == 0 }

func (v values) union(w values) values {
	return values{
		v.spans.union(w.spans),
		unionSorted(v.places, w.places, Address.Compare),
		unionSorted(v.names, w.names, strings.Compare),
		v.flags | w.flags,
	}
}

func (v values) intersect(w values) values {
	return v.minus(v.minus(w))
}

func (v values) minus(w values) values {
	return values{
		v.spans.minus(w.spans),
		minusSorted(v.places, w.places, Address.Compare),
		minusSorted(v.names, w.names, strings.Compare),
		v.flags &^ w.flags,
	}
}

// render writes the list: numbers ascending, three or more in a row as a range,
// then names.
func (v *values) render(f field) string {
	var items []string
	for _, r := range v.spans {
		items = append(items, strconv.Itoa(r.low))
		switch {
		case r.high == r.low+1:
			items = append(items, strconv.Itoa(r.high))
		case r.high > r.low:
			items[len(items)-1] += "-" + strconv.Itoa(r.high)
		}
	}
	for _, at := range v.places {
		items = append(items, at.String())
	}
	items = append(items, v.names...)
	return strings.Join(append(items, flagNames(f, v.flags)...), "|")
}

func flagNames(f field, flags uint8) (names []string) {
	if f == onClass {
		for _, c := range Classes {
			if flags&classFlag(c) != 0 {
				names = append(names, c.String())
			}
		}
		return names
	}
	for i, name := range stateNames {
		if flags&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// span is a range of numbers, both ends included.
type span struct{ low, high int }

// spans is a set of numbers; its size does not depend on how many they are.
type spans []span

func (s spans) has(n int) bool {
	i, found := slices.BinarySearchFunc(s, n, func(r span, n int) int { return cmp.Compare(r.low, n) })
	return found || i > 0 && n <= s[i-1].high
}

func (s spans) union(t spans) spans {
	return joinSpans(append(slices.Clone(s), t...))
}

// joinSpans orders s and joins what overlaps or touches; it takes s over.
func joinSpans(s spans) spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.low, b.low) })
	out := s[:0]
	for _, r := range s {
		if last := len(out) - 1; last >= 0 && r.low <= out[last].high+1 {
			out[last].high = max(out[last].high, r.high)
			continue
		}
		out = append(out, r)
	}
	return slices.Clip(out)
}

func (s spans) minus(t spans) (out spans) {
	for _, r := range s {
		for len(t) > 0 && t[0].high < r.low {
			t = t[1:]
		}
		for _, cut := range t {
			if cut.low > r.high {
				break
			}
			if cut.low > r.low {
				out = append(out, span{r.low, cut.low - 1})
			}
			r.low = cut.high + 1
		}
		if r.low <= r.high {
			out = append(out, r)
		}
	}
	return out
}

func unionSorted[T any](a, b []T, order func(T, T) int) []T {
	if len(b) == 0 {
		return a
	}
	return sortedSet(append(slices.Clone(a), b...), order)
}

// sortedSet orders list and drops what is there twice; it takes list over.
func sortedSet[T any](list []T, order func(T, T) int) []T {
	slices.SortFunc(list, order)
	return slices.CompactFunc(list, func(x, y T) bool { return order(x, y) == 0 })
}

func minusSorted[T any](a, b []T, order func(T, T) int) []T {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	var out []T
	for _, x := range a {
		for len(b) > 0 && order(b[0], x) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || order(b[0], x) != 0 {
			out = append(out, x)
		}
	}
	return out
}
