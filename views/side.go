package views

import (
	"cmp"
	"slices"
	"strconv"

	"mesh30k/meshcore/wire"
)

// drawSide sums up what is selected: a sector with its clusters, a cluster or an
// agent, and who in it needs attention.
func drawSide(f frame, of subject, w, h int) []string {
	inner := max(1, w-2)
	var rows []string
	switch of.place.Level() {
	case wire.LevelSector:
		rows = sectorSummary(f, of.place, inner, h-2)
	case wire.LevelCluster:
		rows = clusterSummary(f, of.place, inner, h-2)
	case wire.LevelAgent:
		rows = agentSummary(f, of, inner)
	case wire.LevelMesh:
	}
	return box(f.theme, w, h, false, f.scene.placeName(of.place), "", rows[:min(len(rows), max(0, h-2))])
}

func sectorSummary(f frame, place wire.Address, w, h int) []string {
	s := f.scene.sector(place.Sector)
	t := totals(s)
	l := headline(f, t, w)
	if spark := len(s.Clusters); l.room() > spark+2 {
		l.gap(2)
		for _, c := range s.Clusters {
			_, k := groupGlyph(c)
			l.put(k, blocks[f.scene.level(c.MeanMS)])
		}
	}
	rows := []string{l.String()}
	rows = append(rows, flagsLine(f.theme, t, w)...)
	list := clusterCells(f, s.Clusters, w)
	worst := notable(f, place, w, max(0, h-len(rows)-len(list)))
	rows = append(rows, list...)
	return append(rows, worst...)
}

// clusterCells lists clusters, two or more in a row where they fit.
func clusterCells(f frame, all []wire.ClusterSummary, w int) []string {
	const cell = 26
	columns := max(1, w/cell)
	per := (len(all) + columns - 1) / columns
	rows := make([]string, 0, per)
	for i := range per {
		l := newLine(f.theme, w)
		for c := range columns {
			if j := c*per + i; j < len(all) {
				clusterCell(f, l, all[j])
			}
		}
		rows = append(rows, l.String())
	}
	return rows
}

func clusterCell(f frame, l *line, c wire.ClusterSummary) {
	glyph, k := groupGlyph(c)
	l.right(plain, c.Cluster.String(), 7).gap(1).put(k, glyph)
	activeInk := muted
	if c.ActiveCount < c.AgentCount {
		activeInk = plain
	}
	l.right(activeInk, strconv.Itoa(c.ActiveCount)+"/"+strconv.Itoa(c.AgentCount), 8)
	l.right(k, millis(c.MeanMS), 7).gap(2)
}

// headline says how many are active and how fast.
func headline(f frame, t wire.ClusterSummary, w int) *line {
	glyph, k := groupGlyph(t)
	return newLine(f.theme, w).gap(1).put(k, glyph).gap(1).
		put(plain, count(t.ActiveCount)+"/"+count(t.AgentCount)).put(muted, " active").
		gap(2).put(plain, millis(t.MeanMS)).put(muted, " ms")
}

// flagsLine counts what is not in order; no line when all is.
func flagsLine(th *theme, t wire.ClusterSummary, w int) []string {
	l := newLine(th, w)
	for _, c := range []struct {
		n     int
		glyph string
		name  string
		ink   ink
	}{
		{t.FrozenCount, glyphFrozen, "frozen", cold},
		{t.OfflineCount, glyphOffline, "offline", bad},
		{t.QuarantCount, glyphQuarantined, "quarantined", isolated},
		{t.DegradedCount, glyphDegraded, "degraded", warn},
		{t.UnstableCount, glyphUnstable, "unstable", warn},
		{t.QueueDepth, "", "queued", muted},
	} {
		if c.n == 0 {
			continue
		}
		text := count(c.n) + " " + c.name
		if c.glyph != "" {
			text = c.glyph + " " + text
		}
		if l.used > 0 && l.room() < cells(text)+3 {
			break
		}
		l.gap(1+min(1, l.used)).put(c.ink, text)
	}
	if l.used == 0 {
		return nil
	}
	return []string{l.String()}
}

func clusterSummary(f frame, place wire.Address, w, h int) []string {
	c := f.scene.cluster(place)
	rows := []string{headline(f, c, w).String()}
	rows = append(rows, flagsLine(f.theme, c, w)...)
	rows = append(rows, newLine(f.theme, w).gap(1).put(muted, "p95 ").put(plain, millis(c.P95MS)).put(muted, " ms").String())
	for _, end := range []struct{ name, agent string }{{"slowest", c.Slowest}, {"fastest", c.Fastest}} {
		if end.agent != "" {
			rows = append(rows, newLine(f.theme, w).gap(1).left(muted, end.name, 8).put(plain, wire.Clean(end.agent)).String())
		}
	}
	return append(rows, notable(f, place, w, h-len(rows))...)
}

// notable names the agents of a place that need attention, the worst first, in
// at most h rows; nothing when there are none.
func notable(f frame, place wire.Address, w, h int) []string {
	if f.scene.picture == nil || f.scene.shape == nil || place.Sector > len(f.scene.shape.Sectors) || h < 3 {
		return nil
	}
	ill := appendSector(nil, f.scene, place.Sector, place, func(r *wire.AgentImpedance) bool {
		return severity(r) > 0 && (!r.Frozen || severity(r) > 2)
	})
	if len(ill) == 0 {
		return nil
	}
	slices.SortFunc(ill, func(a, b *wire.AgentImpedance) int {
		return cmp.Or(cmp.Compare(severity(b), severity(a)), cmp.Compare(b.Score, a.Score), a.Address.Compare(b.Address))
	})
	rows := []string{newLine(f.theme, w).String(), newLine(f.theme, w).gap(1).put(strong, "notable").gap(2).put(muted, count(len(ill))).String()}
	for _, r := range ill[:min(len(ill), h-2)] {
		rows = append(rows, notableRow(f.theme, r, w))
	}
	return rows
}

func notableRow(th *theme, r *wire.AgentImpedance, w int) string {
	glyph, k := stateGlyph(r.State)
	flag, flagInk := flagGlyph(r)
	l := newLine(th, w).right(plain, r.Address.String(), 11).gap(1).put(k, glyph).put(flagInk, flag)
	if r.State.Heard() {
		l.right(scoreInk(r.Score), millis(r.ImpedanceMS), 7).put(muted, " ms")
	} else {
		l.gap(1).put(plain, string(r.State))
	}
	return l.gap(2).put(muted, "queue "+count(r.QueueDepth)).String()
}

func agentSummary(f frame, of subject, w int) []string {
	if f.scene.picture == nil {
		return nil
	}
	r := f.scene.picture.Agent(of.agent)
	if r == nil {
		return nil
	}
	rows := []string{newLine(f.theme, w).gap(1).put(strong, wire.Clean(r.AgentID)).String()}
	for _, x := range recordOf(f, r) {
		rows = append(rows, newLine(f.theme, w).gap(1).left(muted, x.name, 13).put(x.ink, x.value).String())
	}
	return rows
}
