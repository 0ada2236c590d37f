package registry

import "mesh30k/meshcore/wire"

// Seating knows who sits where, and gives seats, names and ordinals to those
// who join. The orchestrator is its only user.
type Seating struct {
	topo    *wire.Topology
	leads   []*lead   // all clusters, by address
	sectors [][]*lead // the same, by sector
	ids     map[string]bool
	ordinal []int          // the next of each sector
	number  map[string]int // where to look for the next free <host>-<n>
}

// lead is a cluster as those see it who look for a place.
type lead struct {
	address wire.Address
	plan    byClass
	taken   byClass
	seats   [wire.MaxChildren]wire.Class // who sits there; 0: nobody
	total   int                          // of taken
}

// byClass is a number for each class.
type byClass [len(wire.Classes)]int

func (b *byClass) of(c wire.Class) *int { return &b[c-wire.ClassEdge] }

// NewSeating makes a seating without agents.
func NewSeating(topo *wire.Topology) *Seating {
	s := &Seating{
		topo: topo, ids: map[string]bool{},
		ordinal: make([]int, len(topo.Sectors)), number: map[string]int{},
	}
	for i, sector := range topo.Sectors {
		first := len(s.leads)
		for j, plan := range sector.Clusters {
			l := &lead{address: wire.Address{Sector: i + 1, Cluster: j + 1}}
			for class, n := range plan.Seats {
				*l.plan.of(class) = n
			}
			s.leads = append(s.leads, l)
		}
		s.sectors = append(s.sectors, s.leads[first:len(s.leads):len(s.leads)])
	}
	return s
}

// Restore takes in agents that were enrolled before a restart, in the order of
// their facts: who comes later in a seat has replaced the one before. All names
// and ordinals that were ever given must be among them, so that none is given
// again. An agent in a place that the topology does not have is an error of
// code unknown_target; those before it stay.
func (s *Seating) Restore(agents []wire.Enrolled) error {
	for i := range agents {
		e := &agents[i]
		if err := s.topo.Require(e.Address); err != nil {
			return err
		}
		if e.Address.Level() != wire.LevelAgent || !e.Class.Valid() {
			return wire.Errorf(wire.CodeUnknownTarget, "restore %s: %s with class %q is no seat for an agent", e.AgentID, e.Address, e.Class).
				WithHint("the facts of enrolment are damaged")
		}
		s.remember(e)
		l := s.lead(e.Address)
		l.leave(e.Address.Seat)
		l.sit(e.Address.Seat, e.Class)
	}
	return nil
}

// remember keeps an agent's name and ordinal from being given again.
func (s *Seating) remember(e *wire.Enrolled) {
	s.ids[e.AgentID] = true
	next := &s.ordinal[e.Address.Sector-1]
	*next = max(*next, e.Ordinal+1)
}

// Taken is the number of seats that are taken.
func (s *Seating) Taken() (n int) {
	for _, l := range s.leads {
		n += l.total
	}
	return n
}

// Knows reports whether an agent's name has been given.
func (s *Seating) Knows(agentID string) bool { return s.ids[agentID] }

func (s *Seating) lead(a wire.Address) *lead { return s.sectors[a.Sector-1][a.Cluster-1] }

// free is the number of planned places of a class that are not taken.
func (l *lead) free(c wire.Class) int { return max(0, *l.plan.of(c)-*l.taken.of(c)) }

// room is the number of places that the cluster can grow by without taking
// another class's planned ones.
func (l *lead) room() int {
	room := wire.MaxChildren - l.total
	for _, c := range wire.Classes {
		room -= l.free(c)
	}
	return room
}

// place sits an agent down on the first free seat and returns it.
func (l *lead) place(c wire.Class) int {
	for i, sits := range l.seats {
		if sits == 0 {
			l.sit(i+1, c)
			return i + 1
		}
	}
	return 0
}

func (l *lead) sit(seat int, c wire.Class) {
	l.seats[seat-1] = c
	*l.taken.of(c)++
	l.total++
}

func (l *lead) leave(seat int) {
	if c := l.seats[seat-1]; c != 0 {
		l.seats[seat-1] = 0
		*l.taken.of(c)--
		l.total--
	}
}
