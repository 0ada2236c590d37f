package views

import (
	"cmp"
	"slices"
	"strings"

	"mesh30k/meshcore/wire"
)

// sortKey orders agents; the names are those of `list --sort`.
type sortKey string

const (
	byImpedance sortKey = "impedance"
	byState     sortKey = "state"
	byAddress   sortKey = "address"
	byQueue     sortKey = "queue"
	byLatency   sortKey = "latency"
)

// query says which agents a table shows, and in what order.
type query struct {
	scope   wire.Address // at or below it
	filter  string       // a selector, or else a part of id, address or host
	sort    sortKey
	reverse bool
}

// roster is the answer to a query. Making it takes milliseconds at 30,000
// agents: it is made in a command, never in Update.
type roster struct {
	query query
	scene *scene
	rows  []*wire.AgentImpedance
	note  string // how the filter was understood
	at    int    // index of the agent that was asked for; -1: not among them
}

// collect answers a query from a scene and finds the agent of that id in the answer.
func collect(s *scene, q query, agent string) *roster {
	r := &roster{query: q, scene: s, at: -1}
	if s.picture == nil {
		return r
	}
	match, scope, note := q.matcher(s.shape)
	r.note = note
	for sector := range s.sectors {
		if scope != nil && !slices.Contains(scope, sector+1) {
			continue
		}
		r.rows = appendSector(r.rows, s, sector+1, q.scope, match)
	}
	slices.SortFunc(r.rows, q.order())
	r.at = slices.IndexFunc(r.rows, func(a *wire.AgentImpedance) bool { return a.AgentID == agent })
	return r
}

func appendSector(rows []*wire.AgentImpedance, s *scene, sector int, scope wire.Address, match func(*wire.AgentImpedance) bool) []*wire.AgentImpedance {
	for c := range s.shape.Sectors[sector-1].Clusters {
		at := wire.Address{Sector: sector, Cluster: c + 1}
		if !scope.Contains(at) && !at.Contains(scope) {
			continue
		}
		b := s.picture.Block(at)
		if b == nil {
			continue
		}
		for i := range b.Rows {
			if r := &b.Rows[i]; scope.Contains(r.Address) && match(r) {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// matcher reads the filter. What has an operator of the selector grammar is a
// selector; all else is looked for as text.
func (q query) matcher(shape *wire.Topology) (match func(*wire.AgentImpedance) bool, sectors []int, note string) {
	text := strings.ToLower(strings.TrimSpace(q.filter))
	if text == "" {
		return func(*wire.AgentImpedance) bool { return true }, nil, ""
	}
	if !strings.ContainsAny(text, "=<>") {
		return func(r *wire.AgentImpedance) bool {
			return strings.Contains(r.AgentID, text) || strings.Contains(r.Host, text) || strings.HasPrefix(r.Address.String(), text)
		}, nil, ""
	}
	nothing := func(*wire.AgentImpedance) bool { return false }
	sel, err := wire.ParseSelector(text)
	if err == nil {
		sel, err = sel.Resolve(shape)
	}
	if err != nil {
		return nothing, nil, wire.Clean(err.Error())
	}
	return sel.Match, sel.Places(shape), ""
}

// order is the query's order; equal agents stay by address, so that rows do not
// dance.
func (q query) order() func(a, b *wire.AgentImpedance) int {
	key := map[sortKey]func(a, b *wire.AgentImpedance) int{
		byImpedance: func(a, b *wire.AgentImpedance) int { return cmp.Compare(b.ImpedanceMS, a.ImpedanceMS) },
		byLatency:   func(a, b *wire.AgentImpedance) int { return cmp.Compare(b.LatencyMS, a.LatencyMS) },
		byQueue:     func(a, b *wire.AgentImpedance) int { return cmp.Compare(b.QueueDepth, a.QueueDepth) },
		byState:     func(a, b *wire.AgentImpedance) int { return cmp.Compare(severity(b), severity(a)) },
		byAddress:   func(a, b *wire.AgentImpedance) int { return 0 },
	}[q.sort]
	sign := 1
	if q.reverse {
		sign = -1
	}
	return func(a, b *wire.AgentImpedance) int {
		if c := key(a, b); c != 0 {
			return sign * c
		}
		if q.sort == byAddress {
			return sign * a.Address.Compare(b.Address)
		}
		return a.Address.Compare(b.Address)
	}
}

// severity orders states by how much they need a person.
func severity(r *wire.AgentImpedance) int {
	n := 0
	switch r.State {
	case wire.Offline:
		n = 8
	case wire.Quarantined:
		n = 6
	case wire.Degraded:
		n = 4
	case wire.Active:
	}
	if r.Unstable {
		n++
	}
	if r.Frozen {
		n += 2
	}
	return n
}
