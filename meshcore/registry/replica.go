package registry

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// Replica is the whole registry, made of each cluster's latest block. One
// goroutine writes it; the [View]s that it hands out may be read from any.
type Replica struct {
	topo    *wire.Topology
	sectors []*sectorPicture
	ids     idIndex
	best    bestIndex
	strings interner
	view    *View // of the present state, nil after a change
}

// sectorPicture is one sector's clusters; nil where nothing has been heard.
type sectorPicture struct {
	clusters []*clusterPicture
	shared   bool // part of a View: copy before changing
}

// clusterPicture is a cluster's block and what is worked out from it once.
// It never changes.
type clusterPicture struct {
	block   *wire.Block
	summary wire.ClusterSummary
	usable  []uint8 // indexes of the rows that work may be routed to, by impedance
}

// NewReplica makes an empty replica of a mesh of this shape.
func NewReplica(topo *wire.Topology) *Replica {
	r := &Replica{topo: topo, ids: newIDIndex(), best: newBestIndex(), strings: newInterner()}
	for _, s := range topo.Sectors {
		r.sectors = append(r.sectors, &sectorPicture{clusters: make([]*clusterPicture, len(s.Clusters))})
	}
	return r
}

// Apply takes in a block. It reports false, and changes nothing, if the block is
// not newer than the one it has (an older epoch, or no higher rev in the same
// one), its cluster does not exist, or its rows are not those of the cluster by
// seat. The block is copied and stays the caller's.
func (r *Replica) Apply(b *wire.Block) bool {
	if b.Cluster.Level() != wire.LevelCluster || !r.topo.Exists(b.Cluster) || !wellFormed(b) {
		return false
	}
	old := r.sectors[b.Cluster.Sector-1].clusters[b.Cluster.Cluster-1]
	if old != nil && !newer(b, old.block) {
		return false
	}
	pic := r.strings.picture(b, old)
	r.ids.replace(old, pic)
	r.best.replace(old, pic)
	s := r.own(b.Cluster.Sector - 1)
	s.clusters[b.Cluster.Cluster-1] = pic
	r.view = nil
	return true
}

func newer(b, than *wire.Block) bool {
	return b.Epoch > than.Epoch || b.Epoch == than.Epoch && b.Rev > than.Rev
}

// wellFormed reports whether the rows are of the block's cluster, each seat at
// most once and in order: searches rely on it.
func wellFormed(b *wire.Block) bool {
	seat := 0
	for i := range b.Rows {
		a := b.Rows[i].Address
		if a.InCluster() != b.Cluster || a.Seat <= seat || a.Seat > wire.MaxChildren {
			return false
		}
		seat = a.Seat
	}
	return true
}

// own makes sector i safe to change.
func (r *Replica) own(i int) *sectorPicture {
	if r.sectors[i].shared {
		r.sectors[i] = &sectorPicture{clusters: slices.Clone(r.sectors[i].clusters)}
	}
	return r.sectors[i]
}

// View is the present picture. It costs a few pointers a sector, and nothing if
// no block was applied since the last.
func (r *Replica) View() *View {
	if r.view == nil {
		for _, s := range r.sectors {
			s.shared = true
		}
		r.view = &View{
			topo:    r.topo,
			sectors: slices.Clone(r.sectors),
			ids:     r.ids.snapshot(),
			best:    r.best.snapshot(),
		}
	}
	return r.view
}
