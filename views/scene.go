package views

import (
	"fmt"
	"math"
	"slices"
	"time"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// scene is what the panes draw: an update, digested once, off the event loop.
// It does not change.
type scene struct {
	rev     uint64 // rises with every scene
	picture console.Picture
	shape   *wire.Topology // of the picture
	stats   wire.GlobalStats
	sectors []wire.SectorSummary // sector n is sectors[n-1]
	median  float64              // of the sectors' mean impedances, ms
	frozen  string               // where agents are frozen; empty: nowhere
	conn    ConnState
	at      time.Time
}

// next is the scene after an update; what the update leaves out stays.
func (s *scene) next(u Update) *scene {
	n := &scene{
		rev: s.rev + 1, conn: u.Conn, at: u.At,
		picture: s.picture, shape: s.shape, stats: s.stats, sectors: s.sectors, median: s.median, frozen: s.frozen,
	}
	if u.At.IsZero() {
		n.at = s.at
	}
	if !u.Stats.Timestamp.IsZero() || u.Stats.TotalAgents > 0 {
		n.stats = u.Stats
		n.stats.Mesh, n.stats.Doubt, n.stats.Mode = wire.Clean(n.stats.Mesh), wire.Clean(n.stats.Doubt), wire.Clean(n.stats.Mode)
	}
	n.conn.Why, n.conn.URL = wire.Clean(n.conn.Why), wire.Clean(n.conn.URL)
	if u.Picture != nil {
		n.look(u.Picture)
	}
	return n
}

// look digests a picture.
func (s *scene) look(p console.Picture) {
	s.picture, s.shape = p, p.Topology()
	s.sectors = make([]wire.SectorSummary, len(s.shape.Sectors))
	means := make([]float64, 0, len(s.sectors))
	for i := range s.sectors {
		s.sectors[i] = p.Sector(i + 1)
		if z := s.sectors[i].MeanMS; z > 0 {
			means = append(means, z)
		}
	}
	s.median = 0
	if len(means) > 0 {
		slices.Sort(means)
		s.median = means[len(means)/2]
	}
	s.frozen = frozenWhere(s.sectors)
}

// sector is the summary of sector n.
func (s *scene) sector(n int) wire.SectorSummary {
	if n < 1 || n > len(s.sectors) {
		return wire.SectorSummary{Sector: n}
	}
	return s.sectors[n-1]
}

// cluster is the summary of a cluster; its Cluster is zero if there is none.
func (s *scene) cluster(a wire.Address) wire.ClusterSummary {
	for _, c := range s.sector(a.Sector).Clusters {
		if c.Cluster == a.InCluster() {
			return c
		}
	}
	return wire.ClusterSummary{}
}

// placeName is how the screen calls a place: its number, and its name if it has one.
func (s *scene) placeName(a wire.Address) string {
	name := ""
	if s.shape != nil && s.shape.Exists(a) {
		switch a.Level() {
		case wire.LevelSector:
			name = s.shape.Sectors[a.Sector-1].Name
		case wire.LevelCluster:
			name = s.shape.Sectors[a.Sector-1].Clusters[a.Cluster-1].Name
		default: // the others have none
		}
	}
	kind := [...]string{"mesh", "sector ", "cluster ", "agent "}[a.Level()]
	if a.Level() != wire.LevelMesh {
		kind += a.String()
	}
	if name != "" {
		kind += " " + wire.Clean(name)
	}
	return kind
}

// level is the height 1 to 8 of the block that stands for an impedance: 2 is the
// median of the sectors, a step is a fourth of a doubling. It is relative, so
// that a mesh of slow machines does not look ill.
func (s *scene) level(ms float64) int {
	if ms <= 0 || s.median <= 0 {
		return 0
	}
	return min(8, max(1, 2+int(math.Round(4*math.Log2(ms/s.median)))))
}

var blocks = [...]string{"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// levelInk makes only what is far above the median loud. It is for sectors, which
// hold every class; a cluster is of one, and slow or fast by nature.
func levelInk(level int) ink {
	switch {
	case level >= 8:
		return bad
	case level >= 5:
		return warn
	default:
		return plain
	}
}

// totals of a sector's clusters.
func totals(s wire.SectorSummary) (t wire.ClusterSummary) {
	for _, c := range s.Clusters {
		t.AgentCount += c.AgentCount
		t.ActiveCount += c.ActiveCount
		t.DegradedCount += c.DegradedCount
		t.UnstableCount += c.UnstableCount
		t.OfflineCount += c.OfflineCount
		t.QuarantCount += c.QuarantCount
		t.FrozenCount += c.FrozenCount
		t.QueueDepth += c.QueueDepth
	}
	t.MeanMS = s.MeanMS
	return t
}

// frozenWhere says in which sectors agents are frozen.
func frozenWhere(sectors []wire.SectorSummary) string {
	var some []int
	frozen, total := 0, 0
	for _, s := range sectors {
		t := totals(s)
		total += t.AgentCount
		frozen += t.FrozenCount
		if t.FrozenCount > 0 {
			some = append(some, s.Sector)
		}
	}
	switch {
	case frozen == 0:
		return ""
	case frozen == total:
		return "MESH FROZEN"
	case len(some) == 1:
		return fmt.Sprintf("%s frozen in sector %d", count(frozen), some[0])
	default:
		return fmt.Sprintf("%s frozen in %d sectors", count(frozen), len(some))
	}
}
