package console

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// Tally counts some agents: a row of list, and what status tells of a part.
// Means are in ms and leave out class F and the silent; they are absent when
// nobody is left.
type Tally struct {
	Place       string   `json:"place,omitempty"` // address, or a host's name
	Name        string   `json:"name,omitempty"`
	Agents      int      `json:"agents"`
	Active      int      `json:"active"` // heard from, degraded ones included
	Degraded    int      `json:"degraded"`
	Unstable    int      `json:"unstable"`
	Offline     int      `json:"offline"`
	Quarantined int      `json:"quarantined"`
	Frozen      int      `json:"frozen"`
	Queue       int      `json:"queue"`
	InHand      int      `json:"in_hand"`
	Measured    int      `json:"measured"` // agents behind the means
	MeanMS      *float64 `json:"mean_ms,omitempty"`
	P95MS       *float64 `json:"p95_ms,omitempty"`
	LatencyMS   *float64 `json:"latency_ms,omitempty"` // mean
	Sim         bool     `json:"sim,omitzero"`         // at least one is emulated

	address    wire.Address
	impedances []float64
	latency    float64
}

// add counts one agent.
func (t *Tally) add(r *wire.AgentImpedance) {
	t.Agents++
	switch r.State {
	case wire.Offline:
		t.Offline++
	case wire.Quarantined:
		t.Quarantined++
	case wire.Degraded:
		t.Degraded++
	case wire.Active: // with the degraded, below
	}
	t.Active += count(r.State.Heard())
	t.Unstable += count(r.Unstable)
	t.Frozen += count(r.Frozen)
	t.Sim = t.Sim || r.Sim
	t.Queue += r.QueueDepth
	t.InHand += r.InHand
	if r.State.Heard() && r.Class != wire.ClassHuman && r.ImpedanceMS > 0 {
		t.impedances = append(t.impedances, r.ImpedanceMS)
		t.latency += r.LatencyMS
	}
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// done computes the means.
func (t *Tally) done() {
	t.Measured = len(t.impedances)
	if t.Measured == 0 {
		return
	}
	slices.Sort(t.impedances)
	sum := 0.0
	for _, z := range t.impedances {
		sum += z
	}
	mean, latency := sum/float64(t.Measured), t.latency/float64(t.Measured)
	p95 := t.impedances[(t.Measured*95+99)/100-1] // nearest rank
	t.MeanMS, t.P95MS, t.LatencyMS = &mean, &p95, &latency
	t.impedances = nil
}

// addTrend counts a cluster as it was in some minute. The p95 of several
// clusters cannot be had from theirs and stays absent.
func (t *Tally) addTrend(r *wire.TrendRow) {
	t.Agents += r.Agents
	t.Active += r.Active
	t.Degraded += r.Degraded
	t.Unstable += r.Unstable
	t.Offline += r.Offline
	t.Quarantined += r.Quarantined
	t.Frozen += r.Frozen
	t.Queue += r.Queue
	if r.Measured > 0 {
		sum := r.MeanMS * float64(r.Measured)
		if t.MeanMS != nil {
			sum += *t.MeanMS * float64(t.Measured)
		}
		t.Measured += r.Measured
		mean := sum / float64(t.Measured)
		t.MeanMS = &mean
	}
}

// group tallies rows by place: level sector or cluster, or by host.
func group(p Picture, rows []*wire.AgentImpedance, what string) []*Tally {
	by := map[string]*Tally{}
	var list []*Tally
	for _, r := range rows {
		place, at := r.Host, r.Address
		switch what {
		case "sectors":
			at = wire.Address{Sector: r.Address.Sector}
			place = at.String()
		case "clusters":
			at = r.Address.InCluster()
			place = at.String()
		}
		t := by[place]
		if t == nil {
			t = &Tally{Place: place, address: at}
			if what != "hosts" {
				t.Name = placeName(p.Topology(), at)
			}
			by[place] = t
			list = append(list, t)
		}
		t.add(r)
	}
	for _, t := range list {
		t.done()
	}
	return list
}

func placeName(t *wire.Topology, at wire.Address) string {
	if t.Require(at) != nil {
		return ""
	}
	s := t.Sectors[at.Sector-1]
	if at.Cluster == 0 {
		return s.Name
	}
	return s.Clusters[at.Cluster-1].Name
}
