package registry

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/tidwall/btree"

	"mesh30k/meshcore/wire"
)

// bestIndex answers 4.3's find_best_agents_for_capability. It has two levels: a
// cluster's picture holds its usable rows by impedance, and the index only holds
// for each capability and cluster the best row there. The best of the mesh are
// merged from the clusters, and a cluster is opened only when its best row is
// due. A block so costs one sort of its rows and a few entries of a tree, and
// an answer of 100 agents opens about 100 clusters, however many there are.
type bestIndex struct {
	capabilities map[string]int32 // numbers of capabilities; copied when shared
	shared       bool
	heads        *btree.BTreeG[head]
}

// head is the best row for a capability in a cluster.
type head struct {
	capability int32
	at         seatRef
	z          float64 // ms
}

func (a head) before(b head) bool {
	if a.capability != b.capability {
		return a.capability < b.capability
	}
	return a.z < b.z || a.z == b.z && a.at < b.at
}

func newBestIndex() bestIndex {
	return bestIndex{
		capabilities: map[string]int32{},
		heads:        btree.NewBTreeGOptions(head.before, btree.Options{NoLocks: true}),
	}
}

func (x *bestIndex) snapshot() bestIndex {
	x.shared = true
	return bestIndex{capabilities: x.capabilities, heads: x.heads.Copy()}
}

// replace brings the index up to date with a cluster's new picture.
func (x *bestIndex) replace(old, pic *clusterPicture) {
	var before []head
	if old != nil {
		before = x.headsOf(old)
	}
	after := x.headsOf(pic)
	for _, h := range before {
		if !slices.Contains(after, h) {
			x.heads.Delete(h)
		}
	}
	for _, h := range after {
		if !slices.Contains(before, h) {
			x.heads.Set(h)
		}
	}
}

// headsOf lists the best row of each capability of a cluster.
func (x *bestIndex) headsOf(c *clusterPicture) (heads []head) {
	var last []string // rows of a cluster mostly share one list of capabilities
	for _, i := range c.usable {
		r := &c.block.Rows[i]
		if sameList(r.Capabilities, last) {
			continue
		}
		last = r.Capabilities
		for _, name := range last {
			n := x.number(name)
			if !slices.ContainsFunc(heads, func(h head) bool { return h.capability == n }) {
				heads = append(heads, head{n, refer(r.Address), r.ImpedanceMS})
			}
		}
	}
	return heads
}

// sameList reports whether a and b are one and the same slice.
func sameList(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func (x *bestIndex) number(capability string) int32 {
	n, ok := x.capabilities[capability]
	if !ok {
		if x.shared {
			x.capabilities, x.shared = maps.Clone(x.capabilities), false
		}
		n = int32(len(x.capabilities))
		x.capabilities[capability] = n
	}
	return n
}

// byImpedance lists the indexes of the rows that may be routed to, by impedance,
// the lower seat first among equals.
func byImpedance(rows []wire.AgentImpedance) []uint8 {
	list := make([]uint8, 0, len(rows))
	for i := range rows {
		if usable(&rows[i]) {
			list = append(list, uint8(i))
		}
	}
	slices.SortFunc(list, func(a, b uint8) int {
		return cmp.Or(cmp.Compare(rows[a].ImpedanceMS, rows[b].ImpedanceMS), cmp.Compare(a, b))
	})
	return list
}

// Best are the count best agents of the mesh for a capability, by impedance in
// ms and then by address: active, not frozen, and none above maxImpedance ms
// (0: no bound). Degraded agents are not among them (4.3: state='active').
func (v *View) Best(capability string, count int, maxImpedance float64) []*wire.AgentImpedance {
	n, known := v.best.capabilities[capability]
	if !known || count <= 0 {
		return nil
	}
	if maxImpedance <= 0 {
		maxImpedance = math.Inf(1)
	}
	m := merge{view: v, capability: capability, count: count, limit: maxImpedance}
	m.best, m.ahead = make([]*wire.AgentImpedance, 0, min(count, 128)), make([]cursor, 0, min(count, 128))
	v.best.heads.Ascend(head{n, 0, math.Inf(-1)}, func(h head) bool {
		if h.capability != n || h.z > maxImpedance {
			return false
		}
		m.drain(&h)
		m.open(h)
		return len(m.best) < count
	})
	m.drain(nil)
	return m.best
}

// merge draws the best rows from clusters that are opened in the order of their
// best row.
type merge struct {
	view       *View
	capability string
	count      int
	limit      float64
	best       []*wire.AgentImpedance
	ahead      []cursor // a heap: the next row of each open cluster
}

// cursor stands at a cluster's next row.
type cursor struct {
	z       float64
	at      seatRef
	next    int32 // in cluster.usable, behind the row
	cluster *clusterPicture
}

func (c *cursor) before(z float64, at seatRef) bool { return c.z < z || c.z == z && c.at < at }

func (m *merge) open(h head) {
	c := cursor{cluster: m.view.cluster(h.at.address())}
	if !m.advance(&c) {
		return
	}
	m.ahead = append(m.ahead, c)
	for i := len(m.ahead) - 1; i > 0; {
		up := (i - 1) / 2
		if m.ahead[up].before(m.ahead[i].z, m.ahead[i].at) {
			return
		}
		m.ahead[up], m.ahead[i] = m.ahead[i], m.ahead[up]
		i = up
	}
}

// advance moves a cursor to its cluster's next row with the capability.
func (m *merge) advance(c *cursor) bool {
	for int(c.next) < len(c.cluster.usable) {
		row := &c.cluster.block.Rows[c.cluster.usable[c.next]]
		c.next++
		if slices.Contains(row.Capabilities, m.capability) {
			c.at, c.z = refer(row.Address), row.ImpedanceMS
			return c.z <= m.limit
		}
	}
	return false
}

// drain takes all rows that come before the cluster that is opened next (nil:
// there is none).
func (m *merge) drain(until *head) {
	for len(m.best) < m.count && len(m.ahead) > 0 {
		top := &m.ahead[0]
		if until != nil && !top.before(until.z, until.at) {
			return
		}
		m.best = append(m.best, &top.cluster.block.Rows[top.cluster.usable[top.next-1]])
		if !m.advance(top) {
			last := len(m.ahead) - 1
			m.ahead[0] = m.ahead[last]
			m.ahead = m.ahead[:last]
		}
		m.sink()
	}
}

// sink puts the top of the heap where it belongs. (container/heap would box
// each cursor: this path has a budget of microseconds.)
func (m *merge) sink() {
	h := m.ahead
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(h) {
			return
		}
		if r := least + 1; r < len(h) && h[r].before(h[least].z, h[least].at) {
			least = r
		}
		if h[i].before(h[least].z, h[least].at) {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
