package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

// StatusData is the data of status. What is not known is absent.
type StatusData struct {
	Target string     `json:"target"`
	Mesh   string     `json:"mesh"`
	AsOf   *time.Time `json:"as_of,omitempty"` // of a picture of the past
	Tally
	ActiveRate     *float64  `json:"active_rate,omitempty"`
	Sectors        int       `json:"sectors,omitzero"` // that have agents
	SectorsHealthy *int      `json:"sectors_healthy,omitempty"`
	Mode           string    `json:"mode,omitempty"`
	Doubt          string    `json:"doubt,omitempty"`
	Notable        []Notable `json:"notable,omitempty"`
}

// Notable is a cluster with agents whose impedance is over twice the mean of
// their class in the target.
type Notable struct {
	Cluster string   `json:"cluster"`
	Agents  []string `json:"agents"`  // addresses
	OverMS  float64  `json:"over_ms"` // all of them are above this
}

func (c *call) status(a Status) (wire.Outcome, error) {
	p := c.Mesh.Picture()
	sel, err := c.resolve(p, a.Target)
	if err != nil {
		return wire.Outcome{}, err
	}
	if !a.At.IsNow() {
		return c.statusThen(p, sel, a.At)
	}
	if sel.IsMesh() {
		return c.statusMesh(p), nil
	}
	rows := rowsOf(p, sel)
	if len(rows) == 0 {
		return wire.Outcome{}, noneMatched(sel)
	}
	data := StatusData{Target: sel.String(), Mesh: p.Topology().Mesh}
	for _, r := range rows {
		data.add(r)
	}
	data.done()
	data.rate()
	data.Notable = notable(rows)
	return c.outcome(wire.Done, data, partText(&data, p.Stats())), nil
}

func (d *StatusData) rate() {
	if d.Agents > 0 {
		r := float64(d.Active) / float64(d.Agents)
		d.ActiveRate = &r
	}
}

// statusMesh is 7.1's box. A mesh without agents says so: it has no rate and no
// mode.
func (c *call) statusMesh(p Picture) wire.Outcome {
	s := p.Stats()
	d := StatusData{Target: "mesh", Mesh: p.Topology().Mesh, Mode: s.Mode, Doubt: wire.Clean(s.Doubt), Sectors: s.Sectors}
	for r := range p.Select(wire.Selector{}) {
		d.add(r)
	}
	d.done()
	d.as(s)
	d.rate()
	if d.Agents > 0 {
		d.SectorsHealthy = &s.SectorsHealthy
	}
	return c.outcome(wire.Done, d, meshBox(&d, ""))
}

// as takes the mesh's own statistics over, so that every screen says the same.
func (d *StatusData) as(s wire.GlobalStats) {
	d.Agents, d.Active, d.Degraded, d.Unstable = s.TotalAgents, s.ActiveAgents, s.DegradedAgents, s.UnstableAgents
	d.Offline, d.Quarantined, d.Frozen, d.Sim = s.OfflineAgents, s.Quarantined, s.FrozenAgents, s.Sim
	d.MeanMS, d.P95MS = nil, nil
	if s.MeanMS > 0 {
		d.MeanMS, d.P95MS = &s.MeanMS, &s.P95MS
	}
}

func meshBox(d *StatusData, asOf string) string {
	title := "MESH-30K STATUS"
	if d.Sim {
		title += " · SIM"
	}
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if asOf != "" {
		add("As of %s", asOf)
	}
	if d.Agents == 0 {
		add("No agents yet: mesh30k invite")
		return box(title, lines)
	}
	add("Agents: %s / %s active (%s)", thousands(d.Active), thousands(d.Agents), percent(d.Active, d.Agents))
	if d.SectorsHealthy != nil {
		add("Sectors: %d/%d healthy", *d.SectorsHealthy, d.Sectors)
	}
	if d.MeanMS != nil {
		add("Mean Impedance: %s", milliseconds(*d.MeanMS))
	}
	for _, l := range d.flags() {
		add("%s: %s", l.name, thousands(l.n))
	}
	if d.Mode != "" {
		add("Mode: %s", d.Mode)
	}
	if d.Doubt != "" {
		lines = append(lines, wrap("Doubt: "+d.Doubt, 60)...)
	}
	return box(title, lines)
}

type flagLine struct {
	name string
	n    int
}

// flags are the counts that are worth a line because they are not zero.
func (t *Tally) flags() []flagLine {
	all := []flagLine{
		{"Degraded", t.Degraded},
		{"Unstable", t.Unstable},
		{"Offline", t.Offline},
		{"Quarantined", t.Quarantined},
		{"Frozen", t.Frozen},
	}
	return slices.DeleteFunc(all, func(l flagLine) bool { return l.n == 0 })
}

// partText is 7.2's summary of a sector, or of any other part.
func partText(d *StatusData, mesh wire.GlobalStats) string {
	var b strings.Builder
	name := d.Target
	if n, ok := strings.CutPrefix(name, "sector="); ok && !strings.ContainsAny(n, ",|-") {
		name = "Sector " + n
	}
	sim := ""
	if d.Sim {
		sim = " · SIM"
	}
	fmt.Fprintf(&b, "%s Status%s:\n", name, sim)
	if d.AsOf != nil {
		fmt.Fprintf(&b, "- As of %s\n", d.AsOf.Format("2006-01-02 15:04"))
	}
	fmt.Fprintf(&b, "- %s/%s agents active\n", thousands(d.Active), thousands(d.Agents))
	if d.MeanMS != nil {
		fmt.Fprintf(&b, "- Mean impedance: %s", milliseconds(*d.MeanMS))
		if mesh.MeanMS > 0 && d.AsOf == nil {
			fmt.Fprintf(&b, " (mesh: %s)", milliseconds(mesh.MeanMS))
		}
		b.WriteByte('\n')
	}
	for _, l := range d.flags() {
		fmt.Fprintf(&b, "- %s %s\n", thousands(l.n), strings.ToLower(l.name))
	}
	if d.Queue > 0 {
		fmt.Fprintf(&b, "- %s messages queued\n", thousands(d.Queue))
	}
	for i, n := range d.Notable {
		if i == 5 {
			fmt.Fprintf(&b, "- Notable: %d more clusters\n", len(d.Notable)-i)
			break
		}
		fmt.Fprintf(&b, "- Notable: Cluster %s has %s with impedance > %s\n", n.Cluster, plural(len(n.Agents), "agent"), milliseconds(n.OverMS))
	}
	return b.String()
}

// notable finds agents over twice the mean of their class among rows, by
// cluster, most first. Class F is left out.
func notable(rows []*wire.AgentImpedance) []Notable {
	sum, n := map[wire.Class]float64{}, map[wire.Class]float64{}
	for _, r := range rows {
		if r.State.Heard() && r.ImpedanceMS > 0 {
			sum[r.Class] += r.ImpedanceMS
			n[r.Class]++
		}
	}
	var list []Notable
	for _, r := range rows {
		over := 2 * sum[r.Class] / n[r.Class]
		if !r.State.Heard() || r.Class == wire.ClassHuman || r.ImpedanceMS <= over || r.ImpedanceMS <= 0 {
			continue
		}
		at := r.Address.InCluster().String()
		if len(list) == 0 || list[len(list)-1].Cluster != at {
			list = append(list, Notable{Cluster: at, OverMS: over})
		}
		last := &list[len(list)-1]
		last.Agents = append(last.Agents, r.Address.String())
		last.OverMS = min(last.OverMS, over)
	}
	slices.SortStableFunc(list, func(a, b Notable) int { return len(b.Agents) - len(a.Agents) })
	return list
}
