package console

import (
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

// then fetches the clusters of a target as they were. Trends know clusters, not
// agents, so that the target may only name places.
func (c *call) then(sel wire.Selector, a At) ([]wire.TrendRow, time.Time, error) {
	if !ofPlaces(sel) {
		return nil, time.Time{}, wire.Errorf(wire.CodeBadMessage, "%s: of the past only sectors and clusters are kept", clip(sel.String())).
			WithHint("use a target of sectors or clusters; history knows agents")
	}
	t := a.Time(c.now)
	if t.After(c.now) {
		return nil, t, wire.Errorf(wire.CodeBadMessage, "at: %s is in the future", c.clock(t)).WithHint("want a time that has been")
	}
	rows, err := c.Past.TrendsAt(c.ctx, t)
	if err != nil {
		return nil, t, err
	}
	var kept []wire.TrendRow
	for _, r := range rows {
		seat := wire.AgentImpedance{Address: r.Cluster}
		if sel.Match(&seat) {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 {
		return nil, t, wire.Errorf(wire.CodeNothingMatched, "nothing is known of %s as of %s", clip(sel.String()), c.clock(t)).
			WithHint("trends begin when the core was first started and end with their horizon")
	}
	return kept, kept[0].Minute, nil
}

// ofPlaces reports whether a target has conditions on sectors and clusters only.
func ofPlaces(sel wire.Selector) bool {
	if sel.IsMesh() {
		return true
	}
	for cond := range strings.SplitSeq(sel.String(), ",") {
		if !strings.HasPrefix(cond, "sector=") && !strings.HasPrefix(cond, "sector!=") &&
			!strings.HasPrefix(cond, "cluster=") && !strings.HasPrefix(cond, "cluster!=") {
			return false
		}
	}
	return true
}

func (c *call) statusThen(p Picture, sel wire.Selector, a At) (wire.Outcome, error) {
	rows, minute, err := c.then(sel, a)
	if err != nil {
		return wire.Outcome{}, err
	}
	d := StatusData{Target: sel.String(), Mesh: p.Topology().Mesh, AsOf: &minute}
	sectors, active := map[int]int{}, map[int]int{}
	for i := range rows {
		d.addTrend(&rows[i])
		sectors[rows[i].Cluster.Sector] += rows[i].Agents
		active[rows[i].Cluster.Sector] += rows[i].Active
	}
	d.rate()
	if !sel.IsMesh() {
		return c.outcome(wire.Done, d, partText(&d, wire.GlobalStats{})), nil
	}
	healthy := 0
	for s, n := range sectors {
		if n > 0 {
			d.Sectors++
			healthy += count(float64(active[s])/float64(n) > 0.95) // as wire.GlobalStats counts them
		}
	}
	d.SectorsHealthy = &healthy
	return c.outcome(wire.Done, d, meshBox(&d, c.clock(minute))), nil
}

// listThen lists clusters or sectors as they were.
func (c *call) listThen(p Picture, sel wire.Selector, a List) ([]*Tally, time.Time, error) {
	if a.What != "clusters" && a.What != "sectors" {
		return nil, time.Time{}, wire.Errorf(wire.CodeBadMessage, "list %s: of the past only sectors and clusters are kept", a.What).
			WithHint("use --what clusters or --what sectors; history knows agents")
	}
	rows, minute, err := c.then(sel, a.At)
	if err != nil {
		return nil, minute, err
	}
	by := map[wire.Address]*Tally{}
	var list []*Tally
	for i := range rows {
		at := rows[i].Cluster
		if a.What == "sectors" {
			at = wire.Address{Sector: at.Sector}
		}
		t := by[at]
		if t == nil {
			t = &Tally{Place: at.String(), Name: placeName(p.Topology(), at), address: at}
			by[at] = t
			list = append(list, t)
		}
		t.addTrend(&rows[i])
		if a.What == "clusters" && rows[i].Measured > 0 {
			t.P95MS = &rows[i].P95MS
		}
	}
	return list, minute, nil
}
