package lab

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"mesh30k/agentd/fleet"
)

// DemoFigures are what a headless demo came to. Counts cover the interval that
// begins when all agents are active; they are read after the fleet has stopped
// beating, so that nothing is under way between the two who count.
type DemoFigures struct {
	AgentsTotal       int     `json:"agents_total"`
	AgentsActive      int     `json:"agents_active"`
	SecondsToActive   float64 `json:"seconds_to_active"` // from the start of the core process
	Seconds           float64 `json:"seconds"`
	HeartbeatsSent    uint64  `json:"heartbeats_sent"`
	HeartbeatsFolded  uint64  `json:"heartbeats_folded"`
	HeartbeatsDropped uint64  `json:"heartbeats_dropped_by_injection"`
	MissedHeartbeats  uint64  `json:"missed_heartbeats"`
	Crashes           uint64  `json:"crashes"`
	Returns           uint64  `json:"returns"`
	CoreCPUPercent    float64 `json:"core_cpu_percent"`
	FleetCPUPercent   float64 `json:"fleet_cpu_percent"`
	CoreRSSMB         float64 `json:"core_rss_mb"`
	FleetRSSMB        float64 `json:"fleet_rss_mb"`
	PIDs              []int   `json:"pids"`
}

// settleWait bounds how long the last heartbeats may take to be counted: two
// rounds of summaries.
const settleWait = 15 * time.Second

// Demo starts a mesh, lets it live for a while once all agents are active, ends
// it, and returns what was seen.
func (m *Mesh) Demo(ctx context.Context, life time.Duration) (f DemoFigures, err error) {
	defer func() { err = errors.Join(err, m.End()) }()
	started := time.Now()
	if err := m.Start(ctx); err != nil {
		return f, err
	}
	active, err := m.AwaitActive(ctx)
	if err != nil {
		return f, err
	}
	f.SecondsToActive = time.Since(started).Seconds()
	f.PIDs = []int{m.Core.PID(), m.Fleet.PID()}

	var sent0 fleet.Counters
	if err := m.Fleet.Next(ctx, &sent0); err != nil {
		return f, err
	}
	core0, fleet0, err := m.measure()
	if err != nil {
		return f, err
	}
	if err := m.live(ctx, life); err != nil {
		return f, err
	}
	core1, fleet1, err := m.measure()
	if err != nil {
		return f, err
	}
	var last CoreStatus
	if err := m.Core.Next(ctx, &last); err != nil {
		return f, err
	}
	f.AgentsTotal, f.AgentsActive = last.Stats.TotalAgents, last.Stats.ActiveAgents
	f.Seconds = core1.Measured.Sub(core0.Measured).Seconds()
	f.CoreCPUPercent, f.FleetCPUPercent = CPUPercent(core0, core1), CPUPercent(fleet0, fleet1)
	f.CoreRSSMB, f.FleetRSSMB = float64(core1.RSS)/(1<<20), float64(fleet1.RSS)/(1<<20)

	var sent1 fleet.Counters
	if err := m.Fleet.End(30 * time.Second); err != nil {
		return f, fmt.Errorf("ending the fleet: %w", err)
	}
	if err := m.Fleet.Final(ctx, &sent1); err != nil {
		return f, err
	}
	folded, missed, err := m.settled(ctx, sent1.Beats)
	if err != nil {
		return f, err
	}
	// What was sent before the interval has been folded before it, but for
	// what was under way at its beginning; a loss there would show as a
	// deficit of the interval.
	f.HeartbeatsSent = sent1.Beats + sent1.BeatsLost - sent0.Beats - sent0.BeatsLost
	f.HeartbeatsDropped = sent1.BeatsLost - sent0.BeatsLost
	f.HeartbeatsFolded = folded - sent0.Beats
	f.MissedHeartbeats = missed - active.Stats.Counters.BeatsMissed
	f.Crashes, f.Returns = sent1.Crashes-sent0.Crashes, sent1.Returns-sent0.Returns
	return f, nil
}

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

// settled waits until the core has counted what the fleet has sent, or for
// settleWait: then what it has counted stands.
func (m *Mesh) settled(ctx context.Context, sent uint64) (folded, missed uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	var s CoreStatus
	for {
		if err := m.Core.Next(ctx, &s); err != nil {
			if ctx.Err() != nil && s.URL != "" {
				return s.Stats.Counters.Beats, s.Stats.Counters.BeatsMissed, nil
			}
			return 0, 0, err
		}
		if s.Stats.Counters.Beats >= sent {
			return s.Stats.Counters.Beats, s.Stats.Counters.BeatsMissed, nil
		}
	}
}

// Table is the figures for people.
func (f DemoFigures) Table() string {
	var text strings.Builder
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("json")
		if x, ok := v.Field(i).Interface().(float64); ok {
			fmt.Fprintf(&text, "%-32s %12.1f\n", name, x)
			continue
		}
		fmt.Fprintf(&text, "%-32s %12v\n", name, v.Field(i).Interface())
	}
	return text.String()
}
