package wire

import "slices"

// nest drops conditions on places that others on places imply: cluster 7.4 is
// in sector 7, and nothing of sector 9 is. If no place is left, the conditions
// contradict each other and stay as they are.
func nest(conds []condition) []condition {
	out := slices.Clone(conds)
	innermost := onSector
	for i := range out {
		c := &out[i]
		if c.field != onCluster && c.field != onAgent {
			continue
		}
		c.places = slices.DeleteFunc(slices.Clone(c.places), func(at Address) bool { return !admitted(conds, c.field, at) })
		if c.op == equal && c.empty() {
			return conds
		}
		if c.op == equal && c.numbered() {
			innermost = max(innermost, c.field)
		}
	}
	for i := range out {
		if c := &out[i]; c.field < innermost && (c.op == unequal || c.numbered()) {
			c.spans, c.places = nil, nil
		}
	}
	return slices.DeleteFunc(out, func(c condition) bool { return c.op <= unequal && c.empty() })
}

// admitted reports whether the conditions on what lies above inner admit the
// place at. Only numbers are looked at.
func admitted(conds []condition, inner field, at Address) bool {
	for i := range conds {
		c := &conds[i]
		if c.field >= inner || c.op == equal && !c.numbered() {
			continue
		}
		var has bool
		if c.field == onSector {
			has = c.spans.has(at.Sector)
		} else {
			has = c.hasPlace(at.InCluster())
		}
		if has != (c.op == equal) {
			return false
		}
	}
	return true
}

// boundSectors writes the condition on sectors the shorter way round in a mesh
// of that many, and drops it when all are meant. Names must be resolved.
func boundSectors(conds []condition, sectors int) []condition {
	i := slices.IndexFunc(conds, func(c condition) bool { return c.field == onSector })
	if sectors == 0 || i < 0 {
		return conds
	}
	c := conds[i]
	other := condition{field: onSector, op: c.op ^ unequal, values: values{
		spans: spans{{1, sectors}}.minus(c.spans),
	}}
	switch {
	case other.empty() && c.op == equal: // all
		return slices.Delete(conds, i, i+1)
	case !other.empty():
		conds[i] = shorter(c, other)
	}
	return conds
}
