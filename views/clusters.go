package views

import (
	"strconv"

	"mesh30k/meshcore/wire"
)

// clusters lists the clusters of one sector.
type clusters struct {
	size
	window
	sector int
	rows   []wire.ClusterSummary
}

func newClusters(sector int) *clusters { return &clusters{sector: sector} }

func (c *clusters) crumb() string { return strconv.Itoa(c.sector) }

// know takes the sector's rows out of a scene.
func (c *clusters) know(s *scene) {
	c.rows = s.sector(c.sector).Clusters
	c.keep(len(c.rows), c.seen())
}

// seen is how many rows are on the screen: the inside without the heading.
func (c *clusters) seen() int { _, h := c.inner(); return max(1, h-1) }

func (c *clusters) setSize(w, h int) {
	c.size.setSize(w, h)
	c.keep(len(c.rows), c.seen())
}

func (c *clusters) subject() (subject, bool) {
	if len(c.rows) == 0 {
		return subject{place: wire.Address{Sector: c.sector}}, true
	}
	return subject{place: c.rows[c.cursor].Cluster}, true
}

func (c *clusters) open() pane {
	if len(c.rows) == 0 {
		return nil
	}
	return newTable(c.rows[c.cursor].Cluster)
}

func (c *clusters) plan(int, int) share {
	return share{rows: len(c.rows) + 3, side: true, events: true}
}

func (c *clusters) move(m motion) { c.window.move(m, len(c.rows), c.seen()) }

func (c *clusters) click(_, y int) {
	if i := y - 2 + c.offset; y >= 2 && i < len(c.rows) {
		c.cursor = i
	}
}

func (c *clusters) draw(f frame) []string {
	w, _ := c.inner()
	rows := []string{clusterHeading(f.theme, w)}
	for i := c.offset; i < min(len(c.rows), c.offset+c.seen()); i++ {
		rows = append(rows, clusterRow(f, c.rows[i], w, i == c.cursor))
	}
	return box(f.theme, c.w, c.h, f.focus, f.scene.placeName(wire.Address{Sector: c.sector}), position(c.window, len(c.rows)), rows)
}

// position says where the cursor is in a list that may be longer than the screen.
func position(v window, n int) string {
	if n == 0 {
		return ""
	}
	return count(v.cursor+1) + " of " + count(n)
}

func clusterHeading(t *theme, w int) string {
	l := newLine(t, w).put(muted, "  cluster      active")
	for _, c := range []struct {
		name string
		n    int
	}{{"mean ms", 10}, {"p95 ms", 9}, {"queued", 9}, {"slow", 7}, {"silent", 8}, {"frozen", 8}} {
		l.right(muted, c.name, c.n)
	}
	return l.String()
}

func clusterRow(f frame, c wire.ClusterSummary, w int, here bool) string {
	l := newLine(f.theme, w)
	mark := " "
	if here {
		mark, l.over = "▸", selected
	}
	glyph, k := groupGlyph(c)
	l.put(plain, mark).right(plain, c.Cluster.String(), 7).gap(1).put(k, glyph)
	l.right(plain, strconv.Itoa(c.ActiveCount)+"/"+strconv.Itoa(c.AgentCount), 11)
	level := f.scene.level(c.MeanMS)
	l.gap(1).put(k, blocks[level]).right(k, millis(c.MeanMS), 8)
	l.right(plain, millis(c.P95MS), 9)
	l.right(quiet(c.QueueDepth, plain), count(c.QueueDepth), 9)
	l.right(quiet(c.DegradedCount, warn), count(c.DegradedCount), 7)
	l.right(quiet(c.OfflineCount, bad), count(c.OfflineCount), 8)
	l.right(quiet(c.FrozenCount, cold), count(c.FrozenCount), 8)
	return l.String()
}

// quiet is k, or muted for nothing: zeros are not loud.
func quiet(n int, k ink) ink {
	if n == 0 {
		return muted
	}
	return k
}
