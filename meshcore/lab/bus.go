package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// BusBench measures how many deliveries a second a mesh makes, addressed by
// cluster and singly, and beside it plain NATS with the same bytes.
//
// A delivery counts when the agent's host has journalled the message, its
// handler has worked it, and the core has folded the WORKED into the operation
// that sent it, whose plan and end are facts. The agents take no time, so that
// the mesh is measured and not what it emulates.
type BusBench struct {
	Home *meshcore.Home
	For  time.Duration // of each measurement; 0: 5 s. What is under way then is waited for
	Talk io.Writer     // what is being done
}

// BusFigures are what the bus came to.
type BusFigures struct {
	Agents        int     `json:"agents"`
	ClusterPerS   float64 `json:"cluster_per_s"`  // deliveries of messages to whole clusters
	ClusterRounds int     `json:"cluster_rounds"` // broadcasts to the mesh that these were
	SinglePerS    float64 `json:"single_per_s"`   // deliveries of messages to one agent each
	SingleRounds  int     `json:"single_rounds"`  // broadcasts to an agent of each cluster that these were
	RawPerS       float64 `json:"raw_per_s"`      // the same messages over plain NATS, each acknowledged
	SingleToRaw   float64 `json:"single_to_raw"`
	CoreCounted   uint64  `json:"core_counted"`  // WORKED by the core's counters
	FleetCounted  uint64  `json:"fleet_counted"` // … by the fleet's
	MessageBytes  int     `json:"message_bytes"` // mean payload of a single message
	AckBytes      int     `json:"ack_bytes"`     // … of the ACK that answers it

	// CPU time of all processes of the bench by delivery, heartbeats and all. A
	// rate is also that of what else the machine does; these are not.
	ClusterCPUUs float64 `json:"cluster_cpu_us"`
	SingleCPUUs  float64 `json:"single_cpu_us"`
	RawCPUUs     float64 `json:"raw_cpu_us"`
	// IdlePercent is what they use of one core with nothing under way but
	// heartbeats; it is part of the three.
	IdlePercent float64 `json:"idle_cpu_percent"`
}

// Broadcasts under way at a time: enough that no part of the mesh waits for
// another, and far from what an agent's queue holds.
const (
	clusterAtATime = 4
	singleAtATime  = 12 // the core keeps 16 plans of a person
)

// Run measures; see [BusFigures].
func (b *BusBench) Run(ctx context.Context, m *Mesh) (map[string]float64, error) {
	f, err := b.measure(ctx, m)
	if err = errors.Join(err, m.End()); err != nil {
		return nil, err
	}
	return numbers(f), nil
}

func (b *BusBench) say(format string, args ...any) { fmt.Fprintf(b.Talk, format+"\n", args...) }

func (b *BusBench) measure(ctx context.Context, m *Mesh) (f BusFigures, err error) {
	if b.For == 0 {
		b.For = 5 * time.Second
	}
	if err := b.instantFleet(m); err != nil {
		return f, err
	}
	if err := m.Start(ctx); err != nil {
		return f, err
	}
	b.say("waiting for %d agents", m.Agents)
	status, err := m.AwaitActive(ctx)
	if err != nil {
		return f, err
	}
	f.Agents = m.Agents
	bytes, err := b.record(ctx, m, status.URL)
	if err != nil {
		return f, err
	}
	f.MessageBytes, f.AckBytes = bytes.sizes()

	idle, err := b.costs(m, func() (flow, error) { return b.rest(ctx) })
	if err != nil {
		return f, err
	}
	// Half of plain NATS before and half after: what else the machine does
	// meanwhile weighs on both alike.
	plain := func() (flow, error) {
		b.say("the same bytes over plain NATS")
		return b.costs(m, func() (flow, error) { return b.raw(ctx, status.URL, bytes) })
	}
	before, err := plain()
	if err != nil {
		return f, err
	}
	b.say("broadcasting to the mesh, one agent a message")
	single, err := b.costs(m, func() (flow, error) { return b.flood(ctx, m, singleAtATime, b.oneOfEachCluster) })
	if err != nil {
		return f, err
	}
	raw, err := plain()
	if err != nil {
		return f, err
	}
	b.say("broadcasting to the mesh, by cluster")
	cluster, err := b.costs(m, func() (flow, error) {
		return b.flood(ctx, m, clusterAtATime, func(int) string { return "class!=F" })
	})
	if err != nil {
		return f, err
	}
	raw.add(before)
	f.IdlePercent = 100 * idle.cpu.Seconds() / idle.took.Seconds()
	f.ClusterPerS, f.ClusterRounds, f.ClusterCPUUs = cluster.perSecond(), cluster.rounds, cluster.cpuUs()
	f.SinglePerS, f.SingleRounds, f.SingleCPUUs = single.perSecond(), single.rounds, single.cpuUs()
	f.RawPerS, f.RawCPUUs = raw.perSecond(), raw.cpuUs()
	f.SingleToRaw = f.SinglePerS / f.RawPerS
	f.CoreCounted, f.FleetCounted, err = b.agree(ctx, m, uint64(bytes.deliveries+cluster.worked+single.worked))
	return f, err
}

// instantFleet gives the fleet a profile whose agents take no time, lose
// nothing and do nothing of their own.
func (b *BusBench) instantFleet(m *Mesh) error {
	p := fleet.Default()
	p.Host, p.Loss.Probability, p.Churn.CrashesPerMin = fleet.Host{}, 0, 0
	for _, class := range wire.Classes {
		c := p.Classes.Of(class)
		c.Network = fleet.Network{DriftMin: c.Network.DriftMin}
		c.Service = fleet.Service{
			BaseMS: 0.01, // the least that a fleet file may say
			Regime: fleet.Regime{RevertMin: c.Service.Regime.RevertMin},
		}
		c.Work.IntervalS = 0
	}
	text, err := yaml.Marshal(p)
	if err != nil {
		return fmt.Errorf("spelling the fleet's profile: %w", err)
	}
	path := filepath.Join(b.Home.Dir, "bench-fleet.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("writing the fleet's profile: %w", err)
	}
	m.FleetArgs = append(m.FleetArgs, "--profile", path)
	return nil
}

// oneOfEachCluster selects one agent of each cluster, another each round. This
// is "singly": a broadcast to them is as many messages as clusters, each for one
// agent, by name, on the subject of its host in its cluster, with a delivery of
// its own in the host's journal and in the core's books. What several messages
// to hosts may share is what they share in a living mesh: a write of the
// journal, an ACK of what gathers within some milliseconds, a group of facts.
func (b *BusBench) oneOfEachCluster(round int) string {
	var places []string
	for s, sector := range b.Home.Topology.Sectors {
		for c, plan := range sector.Clusters {
			seats := 0
			for _, n := range plan.Seats {
				seats += n
			}
			at := wire.Address{Sector: s + 1, Cluster: c + 1, Seat: round%seats + 1}
			places = append(places, at.String())
		}
	}
	return "agent=" + strings.Join(places, "|") + ",class!=F"
}

// flow is what a flood of messages came to.
type flow struct {
	rounds, worked int           // worked: of plain messages those that were acknowledged
	took           time.Duration // first command or message to the end of the last
	cpu            time.Duration
}

func (f *flow) add(g flow) {
	f.worked += g.worked
	f.took += g.took
	f.cpu += g.cpu
}

func (f *flow) perSecond() float64 { return float64(f.worked) / f.took.Seconds() }

func (f *flow) cpuUs() float64 { return float64(f.cpu.Microseconds()) / float64(f.worked) }

// rest lets the mesh idle for a while.
func (b *BusBench) rest(ctx context.Context) (flow, error) {
	start := time.Now()
	select {
	case <-time.After(b.For):
		return flow{took: time.Since(start)}, nil
	case <-ctx.Done():
		return flow{}, ctx.Err()
	}
}

// costs measures the CPU time that core, fleet and this process use for do.
func (b *BusBench) costs(m *Mesh, do func() (flow, error)) (flow, error) {
	used := func() (sum time.Duration, err error) {
		for _, pid := range []int{m.Core.PID(), m.Fleet.PID(), os.Getpid()} {
			u, err := Measure(pid)
			if err != nil {
				return 0, fmt.Errorf("measuring process %d: %w", pid, err)
			}
			sum += u.CPU
		}
		return sum, nil
	}
	before, err := used()
	if err != nil {
		return flow{}, err
	}
	f, err := do()
	if err != nil {
		return f, err
	}
	after, err := used()
	f.cpu = after - before
	return f, err
}

// flood broadcasts to the targets of each round, so many rounds at a time, for
// as long as is to be measured, and waits until all agents have worked all.
func (b *BusBench) flood(ctx context.Context, m *Mesh, atATime int, target func(round int) string) (flow, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var f flow
	var mu sync.Mutex
	start := time.Now()
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(start) >= b.For || ctx.Err() != nil {
			return 0, false
		}
		f.rounds++
		return f.rounds, true
	}
	var speaking sync.WaitGroup
	for range atATime {
		speaking.Go(func() {
			for round, ok := next(); ok; round, ok = next() {
				n, err := b.broadcast(ctx, m, round, target(round))
				if err != nil {
					stop(err)
					return
				}
				mu.Lock()
				f.worked += n
				mu.Unlock()
			}
		})
	}
	speaking.Wait()
	f.took = time.Since(start)
	return f, context.Cause(ctx)
}

// broadcast sends one message to a target and returns how many agents have
// worked it: all of them, or it is an error. Two messages at a time differ in
// their words: a plan that is the same could be executed only once.
func (b *BusBench) broadcast(ctx context.Context, m *Mesh, round int, target string) (int, error) {
	out, err := m.Say(ctx, fmt.Sprintf(`broadcast "context %06d has come: fetch it" %s --require-ack --ttl 1m`, round, target))
	if err != nil {
		return 0, err
	}
	var r wire.BroadcastResult
	if err := json.Unmarshal(out.Data, &r); err != nil {
		return 0, err
	}
	if out.Verdict != wire.Done || r.States[wire.Worked.String()] != r.Selected {
		return 0, fmt.Errorf("of %d agents %d have worked a message: %s", r.Selected, r.States[wire.Worked.String()], out.Text)
	}
	return r.Selected, nil
}

// agree holds what core and fleet have counted, each for itself, against what
// the operations came to.
func (b *BusBench) agree(ctx context.Context, m *Mesh, worked uint64) (core, agents uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	var s CoreStatus
	for s.Stats.Counters.Worked < worked { // a sector sums up each 5 s
		if err := m.Core.Next(ctx, &s); err != nil {
			return 0, 0, fmt.Errorf("the operations say that %d were worked, the core's counters %d: %w", worked, s.Stats.Counters.Worked, err)
		}
	}
	var c fleet.Counters
	if err := m.Fleet.Next(ctx, &c); err != nil {
		return 0, 0, err
	}
	if s.Stats.Counters.Worked != worked || c.Worked != worked || c.WorkedAgain != 0 {
		return 0, 0, fmt.Errorf("the operations say that %d were worked, the core's counters %d, the fleet's %d, of which %d again",
			worked, s.Stats.Counters.Worked, c.Worked, c.WorkedAgain)
	}
	return s.Stats.Counters.Worked, c.Worked, nil
}
