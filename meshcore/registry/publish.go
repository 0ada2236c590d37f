package registry

import (
	"slices"
	"time"

	"mesh30k/meshcore/wire"
)

// PublishEvery is the shortest time between two publications of a cluster's
// block (architecture: registry lag ≤ 1 s).
const PublishEvery = time.Second

// Blocks are the blocks of the clusters that changed since they were last
// published, a second or more ago. A heartbeat is a change even if it brought
// the same figures: last_heartbeat is part of the row. A block is never changed
// afterwards and may be handed to other goroutines.
func (s *Sector) Blocks(now time.Time) (blocks []*wire.Block) {
	for _, c := range s.clusters {
		if !c.changed || len(c.rows) == 0 || now.Sub(c.published) < PublishEvery {
			continue
		}
		c.rev++
		c.changed, c.published = false, now
		blocks = append(blocks, s.block(now, c))
	}
	return blocks
}

// AllBlocks are the present blocks of all clusters that have agents, whether
// they changed or not: for a replica that begins. They do not count as
// published; what changed comes with [Sector.Blocks] too.
func (s *Sector) AllBlocks(now time.Time) (blocks []*wire.Block) {
	for _, c := range s.clusters {
		if len(c.rows) == 0 {
			continue
		}
		if c.changed {
			c.rev++
		}
		blocks = append(blocks, s.block(now, c))
	}
	return blocks
}

func (s *Sector) block(now time.Time, c *cluster) *wire.Block {
	c.shared = true
	return &wire.Block{
		Header:  wire.Head(wire.TypeBlock),
		Cluster: c.address,
		Epoch:   s.epoch,
		Rev:     c.rev,
		At:      now.UTC(),
		Rows:    slices.Clip(c.rows),
	}
}

// Summary is 4.3's summary of the sector with 4.2's of its clusters.
func (s *Sector) Summary(now time.Time) wire.SectorSummary {
	sum := wire.SectorSummary{Header: wire.Head(wire.TypeSectorSummary), Sector: s.number, At: now.UTC(), Counters: s.counters}
	for _, c := range s.clusters {
		if len(c.rows) > 0 {
			sum.Clusters = append(sum.Clusters, summarise(c.address, c.rows))
		}
	}
	sumUp(&sum)
	return sum
}
