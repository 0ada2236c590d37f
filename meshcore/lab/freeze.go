package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore/wire"
)

// FreezeBench says how a mesh is frozen and thawed.
type FreezeBench struct {
	Broadcasts int       // messages to all but class F (people take minutes) that are kept while all is frozen
	Kill       bool      // kill core and fleet with -9 while all is frozen, and start them again
	Talk       io.Writer // what is being done
}

// FreezeFigures are what a freeze came to.
type FreezeFigures struct {
	Agents          int     `json:"agents"`
	LastStopMS      float64 `json:"last_stop_ms"`     // order to the last agent's stop, as its host saw it
	BegunAfterStop  uint64  `json:"begun_after_stop"` // messages that any agent began from then to the thaw
	InHand          int     `json:"in_hand"`          // begun before, ended after
	FrozenAfterKill int     `json:"frozen_after_kill,omitempty"`
	Kept            int     `json:"kept"`         // deliveries kept while frozen
	WorkedOnce      int     `json:"worked_once"`  // of these, facts say WORKED and not again
	WorkedAgain     int     `json:"worked_again"` // … WORKED, once more after a kill
	Lost            int     `json:"lost"`         // … anything else
	ThawToWorkedMS  float64 `json:"thaw_to_worked_ms"`
}

// Run measures; see [FreezeFigures].
func (b *FreezeBench) Run(ctx context.Context, m *Mesh) (map[string]float64, error) {
	f, err := b.measure(ctx, m)
	if err = errors.Join(err, m.End()); err != nil {
		return nil, err
	}
	return numbers(f), nil
}

func (b *FreezeBench) say(format string, args ...any) { fmt.Fprintf(b.Talk, format+"\n", args...) }

// measure freezes a mesh under load, sends it messages, kills it if asked to,
// thaws it and holds the stored facts against what was sent.
func (b *FreezeBench) measure(ctx context.Context, m *Mesh) (f FreezeFigures, err error) {
	if err := m.Start(ctx); err != nil {
		return f, err
	}
	b.say("waiting for %d agents", m.Agents)
	if _, err := m.AwaitActive(ctx); err != nil {
		return f, err
	}
	f.Agents = m.Agents
	// Something is under way when the freeze comes.
	if _, err := m.Say(ctx, `broadcast "before the freeze" class!=F --ttl 10m`); err != nil {
		return f, err
	}
	if err := b.freeze(ctx, m, &f); err != nil {
		return f, err
	}
	begun, err := b.begun(ctx, m)
	if err != nil {
		return f, err
	}
	kept := map[string]bool{}
	for i := range b.Broadcasts {
		out, err := m.Say(ctx, fmt.Sprintf(`broadcast "kept %d" class!=F --ttl 10m`, i+1))
		if err != nil {
			return f, err
		}
		var r wire.BroadcastResult
		if err := json.Unmarshal(out.Data, &r); err != nil {
			return f, err
		}
		kept[r.Operation] = true
		f.Kept += r.Selected
	}
	if err := b.endFrozen(ctx, m, &f, begun); err != nil {
		return f, err
	}
	if err := b.thaw(ctx, m, &f, kept); err != nil {
		return f, err
	}
	return f, nil
}

func (b *FreezeBench) freeze(ctx context.Context, m *Mesh, f *FreezeFigures) error {
	b.say("freezing")
	out, err := m.Say(ctx, "freeze mesh --reason bench")
	if err != nil {
		return err
	}
	var r wire.FreezeResult
	if err := json.Unmarshal(out.Data, &r); err != nil {
		return err
	}
	if r.Stopped != m.Agents {
		return fmt.Errorf("only %d of %d agents have stopped: %s", r.Stopped, m.Agents, out.Text)
	}
	f.LastStopMS, f.InHand = r.LastStopMS, r.InHand
	return nil
}

// begun asks the fleet how many messages its agents have ever begun.
func (b *FreezeBench) begun(ctx context.Context, m *Mesh) (uint64, error) {
	var c fleet.Counters
	err := m.Fleet.Next(ctx, &c)
	return c.Begun, err
}

// endFrozen looks whether anything was begun, and kills what is to be killed.
func (b *FreezeBench) endFrozen(ctx context.Context, m *Mesh, f *FreezeFigures, begun uint64) error {
	now, err := b.begun(ctx, m)
	if err != nil {
		return err
	}
	f.BegunAfterStop = now - begun
	if !b.Kill {
		return nil
	}
	b.say("killing fleet and core with -9")
	m.Fleet.Kill()
	m.Core.Kill()
	if err := m.Start(ctx); err != nil {
		return err
	}
	s, err := m.AwaitActive(ctx)
	if err != nil {
		return err
	}
	f.FrozenAfterKill = s.Stats.FrozenAgents
	begun, err = b.begun(ctx, m)
	if err != nil {
		return err
	}
	f.BegunAfterStop += begun // the fleet counts anew since its start
	return nil
}

func (b *FreezeBench) thaw(ctx context.Context, m *Mesh, f *FreezeFigures, kept map[string]bool) error {
	b.say("thawing")
	start := time.Now()
	if _, err := m.Say(ctx, "thaw mesh --reason bench"); err != nil {
		return err
	}
	for {
		out, err := m.Say(ctx, "list --what operations --limit 100")
		if err != nil {
			return err
		}
		var list struct {
			Rows []struct {
				Operation string       `json:"operation"`
				Verdict   wire.Verdict `json:"verdict"` // empty while it is open
			} `json:"rows"`
		}
		if err := json.Unmarshal(out.Data, &list); err != nil {
			return err
		}
		open := len(kept)
		for _, row := range list.Rows {
			if kept[row.Operation] && row.Verdict != "" {
				open--
			}
		}
		if open == 0 {
			break
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d kept messages have not ended: %w", open, len(kept), ctx.Err())
		}
	}
	f.ThawToWorkedMS = float64(time.Since(start)) / float64(time.Millisecond)
	if err := m.End(); err != nil {
		return err
	}
	return b.countFacts(ctx, m, f, kept)
}

// countFacts reads the stored facts, with no core running.
func (b *FreezeBench) countFacts(ctx context.Context, m *Mesh, f *FreezeFigures, kept map[string]bool) error {
	worked, again := 0, 0
	err := eachFact(ctx, m.Home, func(fact wire.Fact) error {
		if fact.Kind != wire.FactDelivered || !kept[fact.Operation] {
			return nil
		}
		var d wire.DeliveryFact
		if err := json.Unmarshal(fact.Data, &d); err != nil {
			return err
		}
		if d.State == wire.Worked {
			worked += d.Agents.Len()
			again += d.Again.Len()
		}
		return nil
	})
	f.WorkedOnce, f.WorkedAgain, f.Lost = worked-again, again, f.Kept-worked
	return err
}

// numbers are the numeric members of a struct by their names in JSON, without
// those that are left out when zero.
func numbers(f any) map[string]float64 {
	figures := map[string]float64{}
	v := reflect.ValueOf(f)
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if options == "omitempty" && v.Field(i).IsZero() {
			continue
		}
		figures[name] = v.Field(i).Convert(reflect.TypeFor[float64]()).Float()
	}
	return figures
}
