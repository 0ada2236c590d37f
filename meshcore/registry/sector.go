package registry

import (
	"iter"
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// Sector holds the rows of one sector's agents, cluster by cluster. It is used
// by its shard's goroutine only.
type Sector struct {
	number    int
	topo      *wire.Topology
	epoch     uint64
	clusters  []*cluster // cluster n is clusters[n-1]
	byID      map[string]*agent
	byOrdinal []*agent // nil where the agent has been replaced
	freezes   *FreezeLog
	strings   interner
	counters  wire.ShardCounters
}

// cluster is one lead's part. rows and agents run in parallel, by seat.
type cluster struct {
	address wire.Address
	rows    []wire.AgentImpedance
	agents  []*agent
	hosts   map[string]*link
	frozen  wire.FrozenState

	shared    bool // rows are part of a published block: copy before changing
	changed   bool // since the last publication
	rev       uint64
	published time.Time
}

// agent is what a sector keeps of an agent beside its row.
type agent struct {
	in     *cluster
	index  int // of its row
	missed int // beats counted as missed since the last folded one
}

// link is what a cluster keeps of a host.
type link struct {
	incarnation, seq uint64 // of the latest heartbeat folded
	agents           int    // enrolled here
}

func (a *agent) row() *wire.AgentImpedance { return &a.in.rows[a.index] }

// own makes the rows safe to change: a published block never changes.
func (c *cluster) own() {
	if c.shared {
		c.rows, c.shared = slices.Clone(c.rows), false
	}
	c.changed = true
}

// find is the index of a seat's row, or where it belongs.
func (c *cluster) find(seat int) (int, bool) {
	return slices.BinarySearchFunc(c.agents, seat, func(a *agent, seat int) int {
		return a.row().Address.Seat - seat
	})
}

// NewSector makes sector n (counted from 1) of a topology, without agents. The
// epoch must be higher than that of any earlier Sector of the same number, so
// that replicas take its blocks for newer.
func NewSector(n int, topo *wire.Topology, epoch uint64) *Sector {
	s := &Sector{number: n, topo: topo, epoch: epoch, byID: map[string]*agent{}, strings: newInterner()}
	for i := range topo.Sectors[n-1].Clusters {
		s.clusters = append(s.clusters, &cluster{
			address: wire.Address{Sector: n, Cluster: i + 1},
			hosts:   map[string]*link{},
		})
	}
	return s
}

// Counters are what the sector has counted since it was made. Beats, misses,
// foreign and stale are counted here; the shard adds the others.
func (s *Sector) Counters() *wire.ShardCounters { return &s.counters }

// Len is the number of agents: seats taken and not given up.
func (s *Sector) Len() int { return len(s.byID) }

func (s *Sector) cluster(a wire.Address) *cluster {
	if a.Sector != s.number || a.Cluster < 1 || a.Cluster > len(s.clusters) {
		return nil
	}
	return s.clusters[a.Cluster-1]
}

// Agent is the row of an agent, nil if it is not enrolled here. It is valid
// until the sector changes and must not be changed.
func (s *Sector) Agent(id string) *wire.AgentImpedance {
	if a := s.byID[id]; a != nil {
		return a.row()
	}
	return nil
}

// ByOrdinal is the row of the agent with this ordinal, nil if there is none or
// another has taken its seat.
func (s *Sector) ByOrdinal(n int) *wire.AgentImpedance {
	if n < 0 || n >= len(s.byOrdinal) || s.byOrdinal[n] == nil {
		return nil
	}
	return s.byOrdinal[n].row()
}

// Ordinal of an agent; false if it is not enrolled here.
func (s *Sector) Ordinal(id string) (int, bool) {
	if r := s.Agent(id); r != nil {
		return r.Ordinal, true
	}
	return 0, false
}

// HostOf is the host of an agent, empty if it is not enrolled here.
func (s *Sector) HostOf(id string) string {
	if r := s.Agent(id); r != nil {
		return r.Host
	}
	return ""
}

// Rows yields the rows of a cluster, or of the whole sector for its own
// address, by seat. They must not be changed, nor the sector meanwhile.
func (s *Sector) Rows(place wire.Address) iter.Seq[*wire.AgentImpedance] {
	return func(yield func(*wire.AgentImpedance) bool) {
		for _, c := range s.clusters {
			if !place.Contains(c.address) {
				continue
			}
			for i := range c.rows {
				if !yield(&c.rows[i]) {
					return
				}
			}
		}
	}
}

// IDs names the members of set that sit in a cluster, or in the whole sector
// for its own address, by seat.
func (s *Sector) IDs(set wire.Bits, place wire.Address) (ids []string) {
	for r := range s.Rows(place) {
		if set.Has(r.Ordinal) {
			ids = append(ids, r.AgentID)
		}
	}
	return ids
}

// Hosts names the hosts that have agents in a cluster, in order of their names.
func (s *Sector) Hosts(place wire.Address) []string {
	c := s.cluster(place)
	if c == nil {
		return nil
	}
	names := make([]string, 0, len(c.hosts))
	for name := range c.hosts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Clusters yields the addresses of the clusters that have agents, in order.
func (s *Sector) Clusters() iter.Seq[wire.Address] {
	return func(yield func(wire.Address) bool) {
		for _, c := range s.clusters {
			if len(c.rows) > 0 && !yield(c.address) {
				return
			}
		}
	}
}
