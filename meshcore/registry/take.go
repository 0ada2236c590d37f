package registry

import (
	"container/heap"
	"slices"
	"strconv"

	"mesh30k/meshcore/wire"
)

// Take gives seats to the agents of a JOIN and enrols them; they are listed by
// address. The lead with most free places of an agent's class takes it, the
// lowest address among equals; when no place of the class is free the clusters
// grow, most room first, to 100 agents. Agents without a name are called
// <host>-<n>. A JOIN that names a sector gets seats there only.
//
// All are taken or none: the error is of code duplicate for a name that has
// been given, full when there is not place for all, unknown_target for a sector
// that does not exist, bad_message for a host whose name is too long to number
// its agents by. The agents share the JOIN's labels and lists of capabilities.
func (s *Seating) Take(join *wire.Join) ([]wire.Enrolled, error) {
	if err := s.topo.Require(wire.Address{Sector: join.Sector}); err != nil {
		return nil, err
	}
	names, last, err := s.name(join)
	if err != nil {
		return nil, err
	}
	t := taking{seating: s, join: join, leads: s.leadsOf(join.Sector), queues: map[wire.Class]*queue{}}
	for i := range join.Agents {
		for range max(1, join.Agents[i].Count) {
			if err := t.take(&join.Agents[i], names[len(t.agents)]); err != nil {
				t.undo()
				return nil, err
			}
		}
	}
	s.number[join.Host] = last
	return t.commit(), nil
}

// leadsOf are the leads of a sector; 0: all.
func (s *Seating) leadsOf(sector int) []*lead {
	if sector == 0 {
		return s.leads
	}
	return s.sectors[sector-1]
}

// name lists the names of a JOIN's agents, in order, and the last number that
// was given to one without a name.
func (s *Seating) name(join *wire.Join) (names []string, n int, err error) {
	names = make([]string, 0, join.Total())
	mine := make(map[string]bool, cap(names))
	for _, a := range join.Agents {
		if a.AgentID == "" {
			continue
		}
		if s.ids[a.AgentID] || mine[a.AgentID] {
			return nil, 0, wire.Errorf(wire.CodeDuplicate, "join of host %s: the agent name %s is taken", join.Host, a.AgentID).
				WithHint("a name is never given again, not even when its agent is gone: choose another, or none")
		}
		mine[a.AgentID] = true
	}
	n = s.number[join.Host]
	for _, a := range join.Agents {
		if a.AgentID != "" {
			names = append(names, a.AgentID)
			continue
		}
		for range max(1, a.Count) {
			var name string
			for name == "" || s.ids[name] || mine[name] {
				n++
				name = join.Host + "-" + strconv.Itoa(n)
			}
			names = append(names, name)
		}
	}
	if longest := join.Host + "-" + strconv.Itoa(n); len(names) > len(mine) && len(longest) > wire.MaxName {
		return nil, 0, wire.Errorf(wire.CodeBadMessage, "join of host %s: the agent name %s is longer than %d characters", join.Host, longest, wire.MaxName).
			WithHint("give the host a shorter name, or its agents names of their own")
	}
	return names, n, nil
}

// taking is a JOIN on its way.
type taking struct {
	seating *Seating
	join    *wire.Join
	leads   []*lead
	queues  map[wire.Class]*queue // by free places of a class
	growth  *queue                // by room
	agents  []wire.Enrolled
}

func (t *taking) take(spec *wire.AgentSpec, name string) error {
	q := t.queues[spec.Class]
	if q == nil {
		q = newQueue(t.leads, func(l *lead) int { return l.free(spec.Class) })
		t.queues[spec.Class] = q
	}
	l := q.most()
	if l == nil {
		if t.growth == nil {
			t.growth = newQueue(t.leads, (*lead).room)
		}
		if l = t.growth.most(); l == nil {
			return t.full(spec.Class)
		}
	}
	seat := l.place(spec.Class)
	t.agents = append(t.agents, t.enrolled(spec, name, wire.Address{Sector: l.address.Sector, Cluster: l.address.Cluster, Seat: seat}))
	return nil
}

func (t *taking) full(c wire.Class) error {
	where := "the mesh"
	if t.join.Sector != 0 {
		where = "sector " + strconv.Itoa(t.join.Sector)
	}
	return wire.Errorf(wire.CodeFull, "join of host %s: %s has no place for all of its %d agents: class %s found none after %d",
		t.join.Host, where, t.join.Total(), c, len(t.agents)).
		WithHint("bring fewer agents, or make a mesh with more clusters (a cluster grows to at most %d)", wire.MaxChildren)
}

func (t *taking) enrolled(spec *wire.AgentSpec, name string, at wire.Address) wire.Enrolled {
	e := wire.Enrolled{
		AgentID: name, Class: spec.Class, Address: at, Host: t.join.Host,
		Capabilities: spec.Capabilities, Hold: spec.Hold, Labels: t.join.Labels, Sim: t.join.Sim,
	}
	if len(e.Capabilities) == 0 {
		e.Capabilities = spec.Class.Capabilities()
	}
	if e.Hold == "" {
		e.Hold = defaultHold(spec.Class)
	}
	return e
}

// defaultHold is who keeps a prepared message for an agent of a class that does
// not say.
func defaultHold(c wire.Class) wire.Hold {
	switch c {
	case wire.ClassEdge, wire.ClassServerless:
		return wire.HoldGateway
	case wire.ClassHuman:
		return wire.HoldNone
	default:
		return wire.HoldSelf
	}
}

func (t *taking) undo() {
	for i := range t.agents {
		t.seating.lead(t.agents[i].Address).leave(t.agents[i].Address.Seat)
	}
}

// commit gives ordinals, by address, and remembers names.
func (t *taking) commit() []wire.Enrolled {
	slices.SortFunc(t.agents, func(a, b wire.Enrolled) int { return a.Address.Compare(b.Address) })
	for i := range t.agents {
		e := &t.agents[i]
		e.Ordinal = t.seating.ordinal[e.Address.Sector-1]
		t.seating.remember(e)
	}
	return t.agents
}

// queue orders leads by how much they have of something, the lowest address
// first among equals.
type queue struct {
	leads []*lead // a heap
	has   func(*lead) int
}

func newQueue(leads []*lead, has func(*lead) int) *queue {
	q := &queue{slices.Clone(leads), has}
	heap.Init(q)
	return q
}

// most is the lead that has most, nil if none has any. What leads have may only
// have become less since it was last asked.
func (q *queue) most() *lead {
	for len(q.leads) > 0 {
		top := q.leads[0]
		if q.has(top) > 0 {
			heap.Fix(q, 0)
			if q.leads[0] == top {
				return top
			}
			continue
		}
		heap.Pop(q)
	}
	return nil
}

func (q *queue) Len() int { return len(q.leads) }
func (q *queue) Less(i, j int) bool {
	a, b := q.has(q.leads[i]), q.has(q.leads[j])
	return a > b || a == b && q.leads[i].address.Compare(q.leads[j].address) < 0
}
func (q *queue) Swap(i, j int) { q.leads[i], q.leads[j] = q.leads[j], q.leads[i] }
func (q *queue) Push(x any)    { q.leads = append(q.leads, x.(*lead)) }
func (q *queue) Pop() any {
	last := len(q.leads) - 1
	x := q.leads[last]
	q.leads = q.leads[:last]
	return x
}
