package lab

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore/wire"
)

// DemoFigures are what a headless demo came to. Counts cover the interval that
// begins when all agents are active (see [Mesh.AwaitActive]); they are read
// after the fleet has stopped beating, so that nothing is under way between
// those who count.
type DemoFigures struct {
	AgentsTotal         int     `json:"agents_total"`
	AgentsActive        int     `json:"agents_active"`     // as the core saw it at the end of the interval
	AgentsAlive         int     `json:"agents_alive"`      // as the fleet knew it then
	SecondsToActive     float64 `json:"seconds_to_active"` // from the start of the core process
	Seconds             float64 `json:"seconds"`
	HeartbeatsSent      int64   `json:"heartbeats_sent"`
	HeartbeatsFolded    int64   `json:"heartbeats_folded"`
	HeartbeatsWitnessed int64   `json:"heartbeats_witnessed"`
	HeartbeatsDropped   int64   `json:"heartbeats_dropped_by_injection"`
	MissedHeartbeats    int64   `json:"missed_heartbeats"`
	Crashes             int64   `json:"crashes"` // as the hosts counted them
	CrashFacts          int64   `json:"crash_facts"`
	Returns             int64   `json:"returns"`
	ReturnFacts         int64   `json:"return_facts"`
	CoreCPUPercent      float64 `json:"core_cpu_percent"`
	FleetCPUPercent     float64 `json:"fleet_cpu_percent"`
	CoreRSSMB           float64 `json:"core_rss_mb"`
	FleetRSSMB          float64 `json:"fleet_rss_mb"`
	PIDs                []int   `json:"pids"`
}

// settleWait bounds how long the last heartbeats may take to be counted: two
// rounds of summaries.
const settleWait = 15 * time.Second

// demo is one headless demo. The counters of fleet, core and witness begin with
// their processes. What is before the interval is the fleet's count at its
// beginning, for all of them: whatever core, witness or facts have lost until
// then shows as a deficit of the interval.
type demo struct {
	*Mesh
	witness *witness
	figures DemoFigures
	before  fleet.Counters // at the beginning of the interval
	missed  uint64         // … by the core
}

// Demo starts a mesh, lets it live for a while once all agents are active, ends
// it, and returns what was seen.
func (m *Mesh) Demo(ctx context.Context, life time.Duration) (DemoFigures, error) {
	d := &demo{Mesh: m}
	err := d.run(ctx, life)
	if err = errors.Join(err, m.End()); err != nil {
		return d.figures, err
	}
	return d.figures, d.countFacts(ctx)
}

func (d *demo) run(ctx context.Context, life time.Duration) (err error) {
	started := time.Now()
	if err := d.StartCore(ctx); err != nil {
		return err
	}
	var core CoreStatus
	if err := d.Core.Status(ctx, &core); err != nil {
		return err
	}
	if d.witness, err = watch(ctx, d.Home, core.URL); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.witness.close()) }()
	if err := d.StartFleet(ctx); err != nil {
		return err
	}
	active, err := d.AwaitActive(ctx)
	if err != nil {
		return err
	}
	d.figures.SecondsToActive = time.Since(started).Seconds()
	d.missed = active.Stats.Counters.BeatsMissed
	if err := d.interval(ctx, life); err != nil {
		return err
	}
	return d.last(ctx)
}

// interval lets the mesh live and measures it.
func (d *demo) interval(ctx context.Context, life time.Duration) error {
	f := &d.figures
	f.PIDs = []int{d.Core.PID(), d.Fleet.PID()}
	if err := d.Fleet.Next(ctx, &d.before); err != nil {
		return err
	}
	core0, fleet0, err := d.measure()
	if err != nil {
		return err
	}
	if err := d.live(ctx, life); err != nil {
		return err
	}
	core1, fleet1, err := d.measure()
	if err != nil {
		return err
	}
	f.Seconds = core1.Measured.Sub(core0.Measured).Seconds()
	f.CoreCPUPercent, f.FleetCPUPercent = CPUPercent(core0, core1), CPUPercent(fleet0, fleet1)
	f.CoreRSSMB, f.FleetRSSMB = megabytes(core1.RSS), megabytes(fleet1.RSS)
	var core CoreStatus
	if err := d.Core.Next(ctx, &core); err != nil {
		return err
	}
	var alive fleet.Counters
	if err := d.Fleet.Status(ctx, &alive); err != nil {
		return err
	}
	f.AgentsTotal, f.AgentsActive, f.AgentsAlive = core.Stats.TotalAgents, core.Stats.ActiveAgents, alive.Agents
	return nil
}

// last ends the fleet and reads what has been counted.
func (d *demo) last(ctx context.Context) error {
	if err := d.Fleet.End(endPatience); err != nil {
		return fmt.Errorf("ending the fleet: %w", err)
	}
	var after fleet.Counters
	if err := d.Fleet.Final(ctx, &after); err != nil {
		return err
	}
	core, err := d.settled(ctx, after.Beats)
	if err != nil {
		return err
	}
	f, before := &d.figures, d.before
	f.HeartbeatsDropped = int64(after.BeatsLost - before.BeatsLost)
	f.HeartbeatsSent = int64(after.Beats-before.Beats) + f.HeartbeatsDropped
	f.HeartbeatsFolded = int64(core.Beats - before.Beats)
	f.HeartbeatsWitnessed = int64(d.witness.beats.Load() - before.Beats)
	f.MissedHeartbeats = int64(core.BeatsMissed - d.missed)
	f.Crashes, f.Returns = int64(after.Crashes-before.Crashes), int64(after.Returns-before.Returns)
	return nil
}

// countFacts holds what the hosts reported against what is stored.
func (d *demo) countFacts(ctx context.Context) error {
	kinds, err := countKinds(ctx, d.Home)
	if err != nil {
		return fmt.Errorf("reading the facts of the demo: %w", err)
	}
	d.figures.CrashFacts = int64(kinds[wire.FactCrash] - d.before.Crashes)
	d.figures.ReturnFacts = int64(kinds[wire.FactReturn] - d.before.Returns)
	return nil
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func (m *Mesh) measure() (core, fleet Usage, err error) {
	if core, err = Measure(m.Core.PID()); err != nil {
		return core, fleet, fmt.Errorf("measuring the core: %w", err)
	}
	if fleet, err = Measure(m.Fleet.PID()); err != nil {
		return core, fleet, fmt.Errorf("measuring the fleet: %w", err)
	}
	return core, fleet, nil
}

// live waits, unless one of the processes ends.
func (m *Mesh) live(ctx context.Context, life time.Duration) error {
	select {
	case <-time.After(life):
		return nil
	case <-m.Core.Done():
		return fmt.Errorf("%w: %w", ErrEnded, m.Core.failure("ended"))
	case <-m.Fleet.Done():
		return fmt.Errorf("%w: %w", ErrEnded, m.Fleet.failure("ended"))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settled waits until core and witness have counted what the fleet has sent, or
// for settleWait: then what they have counted stands.
func (d *demo) settled(ctx context.Context, sent uint64) (wire.ShardCounters, error) {
	waiting, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	var s CoreStatus
	for {
		if err := d.Core.Next(waiting, &s); err != nil {
			if ctx.Err() == nil && waiting.Err() != nil && s.URL != "" {
				err = nil
			}
			return s.Stats.Counters, err
		}
		if s.Stats.Counters.Beats >= sent && d.witness.beats.Load() >= sent {
			return s.Stats.Counters, nil
		}
	}
}

// Table is the figures for people.
func (f DemoFigures) Table() string {
	var text strings.Builder
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if x, ok := reflect.TypeAssert[float64](v.Field(i)); ok {
			fmt.Fprintf(&text, "%-32s %12.1f\n", name, x)
			continue
		}
		fmt.Fprintf(&text, "%-32s %12v\n", name, v.Field(i).Interface())
	}
	return text.String()
}
