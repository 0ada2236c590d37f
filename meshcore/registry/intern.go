package registry

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// interner keeps one copy of what the rows of a mesh repeat: blocks come from
// JSON with a string of their own for each host, capability and label of each
// row, each time. Its tables grow with the enrolments, not with time.
type interner struct {
	hosts  map[string]string
	lists  map[string][]string
	labels map[string]map[string]string
}

func newInterner() interner {
	return interner{map[string]string{}, map[string][]string{}, map[string]map[string]string{}}
}

// picture makes a cluster's picture of a block, with the strings of the picture
// before it where they are equal.
func (t *interner) picture(b *wire.Block, old *clusterPicture) *clusterPicture {
	block := *b
	block.Rows = slices.Clone(b.Rows)
	var before []wire.AgentImpedance
	if old != nil {
		before = old.block.Rows
	}
	var hash string // agents often share their context with their neighbour
	for i := range block.Rows {
		r := &block.Rows[i]
		last := &wire.AgentImpedance{}
		if k, ok := rowOfSeat(before, r.Address.Seat); ok {
			last = &before[k]
		}
		t.share(r, last)
		if r.ContextHash == hash {
			r.ContextHash = hash
		}
		hash = r.ContextHash
	}
	return &clusterPicture{
		block:   &block,
		summary: summarise(block.Cluster, block.Rows),
		usable:  byImpedance(block.Rows),
	}
}

// rowOfSeat is the index of a seat's row in rows, which are by seat.
func rowOfSeat(rows []wire.AgentImpedance, seat int) (int, bool) {
	if i := seat - 1; i >= 0 && i < len(rows) && rows[i].Address.Seat == seat {
		return i, true // no seat is empty before it
	}
	return slices.BinarySearchFunc(rows, seat, func(r wire.AgentImpedance, seat int) int { return r.Address.Seat - seat })
}

// share replaces what a row repeats by the copy of the seat's last row, or else
// by the tables'.
func (t *interner) share(r, last *wire.AgentImpedance) {
	if r.AgentID == last.AgentID {
		r.AgentID = last.AgentID
	}
	if r.ContextHash == last.ContextHash {
		r.ContextHash = last.ContextHash
	}
	if r.Host == last.Host {
		r.Host = last.Host
	} else {
		r.Host = t.host(r.Host)
	}
	if slices.Equal(r.Capabilities, last.Capabilities) {
		r.Capabilities = last.Capabilities
	} else {
		r.Capabilities = t.list(r.Capabilities)
	}
	if maps.Equal(r.Labels, last.Labels) {
		r.Labels = last.Labels
	} else {
		r.Labels = t.labelSet(r.Labels)
	}
	r.State = constant(r.State, wire.Active, wire.Degraded, wire.Offline, wire.Quarantined)
	r.Hold = constant(r.Hold, wire.HoldSelf, wire.HoldGateway, wire.HoldNone)
	r.LastHeartbeat = r.LastHeartbeat.UTC()
}

func (t *interner) host(name string) string {
	if one, ok := t.hosts[name]; ok {
		return one
	}
	t.hosts[name] = name
	return name
}

func (t *interner) list(list []string) []string {
	key := strings.Join(list, ",") // capabilities have no comma
	if one, ok := t.lists[key]; ok {
		return one
	}
	t.lists[key] = list
	return list
}

func (t *interner) labelSet(labels map[string]string) map[string]string {
	var key []byte
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		for _, s := range [...]string{name, labels[name]} {
			key = binary.AppendUvarint(key, uint64(len(s)))
			key = append(key, s...)
		}
	}
	if one, ok := t.labels[string(key)]; ok {
		return one
	}
	t.labels[string(key)] = labels
	return labels
}

// constant is the program's own copy of a known word.
func constant[S ~string](s S, known ...S) S {
	for _, k := range known {
		if s == k {
			return k
		}
	}
	return s
}
