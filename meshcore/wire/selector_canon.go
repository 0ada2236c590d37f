package wire

import (
	"cmp"
	"slices"
	"strings"
)

// canonical orders, joins and shortens conditions. sectors is how many the mesh
// has, 0 if that is not known yet. It does not change conds.
func canonical(conds []condition, sectors int) []condition {
	for text := ""; ; { // what one pass has dropped may let the next drop more
		conds = canonicalPass(conds, sectors)
		last := text
		if text = render(conds); text == last {
			return conds
		}
	}
}

func canonicalPass(conds []condition, sectors int) (out []condition) {
	sound := true // no place is a contradiction
	for len(conds) > 0 {
		first := conds[0]
		var run, rest []condition
		for _, c := range conds {
			if c.field == first.field && c.label == first.label {
				run = append(run, c)
			} else {
				rest = append(rest, c)
			}
		}
		conds = rest
		joined, ok := join(run)
		if !ok {
			joined = asAsked(run)
			sound = sound && first.field > onAgent
		}
		out = append(out, joined...)
	}
	if sound {
		out = nest(out)
		out = boundSectors(out, sectors)
	}
	slices.SortFunc(out, compareConditions)
	return slices.Clip(out)
}

func compareConditions(a, b condition) int {
	return cmp.Or(
		cmp.Compare(a.field, b.field),
		strings.Compare(a.label, b.label),
		cmp.Compare(a.op, b.op),
		strings.Compare(a.render(a.field), b.render(b.field)),
	)
}

func render(conds []condition) string {
	if len(conds) == 0 {
		return "mesh"
	}
	parts := make([]string, len(conds))
	for i := range conds {
		parts[i] = conds[i].String()
	}
	return strings.Join(parts, ",")
}

// asAsked keeps the conditions of a contradiction, each once.
func asAsked(run []condition) (out []condition) {
	for _, c := range run {
		if c.field == onClass {
			c = classCondition(c.flags, c.op)
		}
		if !slices.ContainsFunc(out, func(d condition) bool { return compareConditions(c, d) == 0 }) {
			out = append(out, c)
		}
	}
	return out
}

// join makes one field's conditions as few as they can be; ok is false if they
// contradict each other.
func join(run []condition) (out []condition, ok bool) {
	switch run[0].field {
	case onClass:
		return joinClass(run)
	case onState:
		return joinState(run)
	case onImpedance:
		return joinImpedance(run), true
	case onCapability:
		return joinCapability(run)
	default:
		return joinSingle(run)
	}
}

// split takes a run apart into its positive lists, without what is excluded
// too, and all that is excluded. ok is false if a list has nothing left.
func split(run []condition) (lists []values, not values, ok bool) {
	for _, c := range run {
		if c.op == unequal {
			not = not.union(c.values)
		}
	}
	for _, c := range run {
		if c.op == unequal {
			continue
		}
		left := c.minus(not)
		if left.empty() {
			return nil, not, false
		}
		lists = append(lists, left)
	}
	return lists, not, true
}

// joinSingle joins conditions on what an agent has one of: lists are
// intersected where their items can be compared.
func joinSingle(run []condition) (out []condition, ok bool) {
	lists, not, ok := split(run)
	if !ok {
		return nil, false
	}
	var numbers, names *values
	narrow := func(have **values, v values) bool {
		if *have != nil {
			v = (*have).intersect(v)
		}
		*have = &v
		return !v.empty()
	}
	like := run[0]
	add := func(op operator, v values) {
		out = append(out, condition{field: like.field, label: like.label, op: op, values: v})
	}
	for _, v := range lists {
		switch {
		case v.numbered():
			ok = narrow(&numbers, v)
		case v.named():
			ok = narrow(&names, v)
		default:
			add(equal, v)
		}
		if !ok {
			return nil, false
		}
	}
	if numbers != nil { // exclusions of the same sort are taken off already
		add(equal, *numbers)
		not.spans, not.places = nil, nil
	}
	if names != nil {
		add(equal, *names)
		not.names = nil
	}
	if !not.empty() {
		add(unequal, not)
	}
	return dedupe(out), true
}

func dedupe(conds []condition) []condition {
	slices.SortFunc(conds, compareConditions)
	return slices.CompactFunc(conds, func(a, b condition) bool { return compareConditions(a, b) == 0 })
}

// joinCapability joins conditions on what an agent has many of: every list
// must be met, unless a narrower one implies it.
func joinCapability(run []condition) (out []condition, ok bool) {
	lists, not, ok := split(run)
	if !ok {
		return nil, false
	}
	for i, v := range lists {
		implied := false
		for j, w := range lists {
			narrower := len(w.minus(v).names) == 0
			implied = implied || narrower && (len(w.names) < len(v.names) || len(w.names) == len(v.names) && j < i)
		}
		if !implied {
			out = append(out, condition{field: onCapability, op: equal, values: v})
		}
	}
	if !not.empty() {
		out = append(out, condition{field: onCapability, op: unequal, values: not})
	}
	return out, true
}

func joinImpedance(run []condition) (out []condition) {
	for _, op := range []operator{above, below} {
		var best *condition
		for i := range run {
			c := &run[i]
			if c.op != op {
				continue
			}
			if best == nil || (op == above) == (c.bound > best.bound) {
				best = c
			}
		}
		if best != nil {
			out = append(out, *best)
		}
	}
	return out
}

func joinState(run []condition) (out []condition, ok bool) {
	var ask stateAsk
	for _, c := range dedupe(slices.Clone(run)) {
		if c.op == equal {
			ask.all = append(ask.all, c.flags)
		} else {
			ask.not |= c.flags
		}
	}
	if ask.worlds() == 0 {
		return nil, false
	}
	ask = ask.shorten()
	for _, flags := range ask.all {
		out = append(out, condition{field: onState, op: equal, values: values{flags: flags}})
	}
	if ask.not != 0 {
		out = append(out, condition{field: onState, op: unequal, values: values{flags: ask.not}})
	}
	return dedupe(out), true
}

const allClasses uint8 = 1<<len(Classes) - 1

func classFlag(c Class) uint8 { return 1 << (c - ClassEdge) }

func joinClass(run []condition) (out []condition, ok bool) {
	left := allClasses
	for _, c := range run {
		if c.op == equal {
			left &= c.flags
		} else {
			left &^= c.flags
		}
	}
	switch left {
	case 0:
		return nil, false
	case allClasses:
		return nil, true
	}
	return []condition{classCondition(left, equal)}, true
}

// classCondition writes a condition on the class the shorter way round.
func classCondition(flags uint8, op operator) condition {
	same := condition{field: onClass, op: op, values: values{flags: flags}}
	other := condition{field: onClass, op: op ^ unequal, values: values{flags: allClasses &^ flags}}
	return shorter(same, other)
}

// shorter prefers the positive of two conditions that say the same, unless the
// negative one is shorter; one without values cannot be written.
func shorter(a, b condition) condition {
	if a.op == unequal {
		a, b = b, a
	}
	if a.empty() || !b.empty() && len(b.String()) < len(a.String()) {
		return b
	}
	return a
}
