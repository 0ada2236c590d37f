package meshcore

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// The core suspects itself before it suspects the fleet (rulings, "Acting").
const (
	doubtFor   = 30 * time.Second // it holds state so long at most
	doubtShare = 0.5              // … when less than this share of the living was heard of late
	startShare = 0.95             // … than this share, when it has just started and they have yet to come
	doubtMin   = 10               // agents below which silence says nothing about the core
)

// doubt is the core's suspicion of itself. Its fields belong to the
// orchestrator's goroutine.
type doubt struct {
	since   time.Time  // zero: none
	over    bool       // believed: doubts again only after the silence has ended
	greeted bool       // the first doubt, of a core that has just started, is over
	proof   chan error // of the round trip under way
}

// suspect begins, keeps or ends the core's doubt in itself, from the share of
// agents that should have been heard in the last two heartbeats and were not.
func (c *Core) suspect(ctx context.Context, now time.Time, stats *wire.GlobalStats) {
	d := &c.doubt
	expected, heard := c.recentlyHeard(now)
	share := doubtShare
	if !d.greeted {
		share = startShare
	}
	silence := expected >= doubtMin && float64(heard) < share*float64(expected)
	switch {
	case !silence:
		if !d.since.IsZero() {
			c.endDoubt(now, fmt.Sprintf("heard again: %d of %d agents", heard, expected))
		}
		d.since, d.over = time.Time{}, false
		d.greeted = d.greeted || expected >= doubtMin
	case d.over:
	case d.since.IsZero():
		d.since = now
		c.hold(now.Add(doubtFor))
		why := "mass silence"
		if !d.greeted {
			why = "core has just started"
		}
		c.doubtFact(now, fmt.Sprintf("%s: %d of %d agents heard; state is held while the core suspects itself", why, heard, expected))
		d.proof = make(chan error, 1)
		go func(proof chan<- error) { proof <- c.prove(ctx) }(d.proof)
	case now.Sub(d.since) >= doubtFor:
		d.over, d.greeted = true, true
		c.endDoubt(now, fmt.Sprintf("the silence is believed: %d of %d agents heard%s", heard, expected, d.verdict()))
		c.hold(now)
	}
	if !d.since.IsZero() && !d.over {
		stats.Doubt = fmt.Sprintf("heard %d of %d agents in the last %v; the core suspects itself until %s",
			heard, expected, 2*c.opt.Heartbeat, d.since.Add(doubtFor).Format(time.TimeOnly))
	}
}

// recentlyHeard counts, of the agents that should beat, who did of late. An
// agent that is already taken for silent is not expected.
func (c *Core) recentlyHeard(now time.Time) (expected, heard int) {
	fresh := now.Add(-2*c.opt.Heartbeat - time.Second)
	view := c.View()
	for cluster := range c.opt.Topology.Clusters {
		b := view.Block(cluster)
		if b == nil {
			continue
		}
		for i := range b.Rows {
			r := &b.Rows[i]
			if !r.State.Heard() && (c.doubt.greeted || c.doubt.over) {
				continue
			}
			expected++
			if r.LastHeartbeat.After(fresh) {
				heard++
			}
		}
	}
	return expected, heard
}

// hold tells every shard until when nobody is taken for silent.
func (c *Core) hold(until time.Time) {
	for n := range c.opt.Topology.Sectors {
		c.order(n+1, &wire.ShardOrder{Hold: &wire.ShardHold{Until: until}})
	}
}

func (c *Core) endDoubt(now time.Time, why string) { c.doubtFact(now, "doubt ended, "+why) }

func (c *Core) doubtFact(now time.Time, text string) {
	c.scribe.write([]wire.Fact{{At: now, Kind: wire.FactDoubt, Actor: "core", Text: text}}, nil)
}

// prove sends a message from one of the core's connections to the other: if it
// does not come through, the silence is the core's own.
func (c *Core) prove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, doubtFor/2)
	defer cancel()
	inbox := c.conn.NewRespInbox()
	got := make(chan *nats.Msg, 1)
	sub, err := c.conn.ChanSubscribe(inbox, got)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	if err := c.shardConn.Publish(inbox, nil); err != nil {
		return err
	}
	select {
	case <-got:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a message between the core's own connections did not arrive in %v", doubtFor/2)
	}
}

// verdict says what the proof has shown, for the fact.
func (d *doubt) verdict() string {
	select {
	case err := <-d.proof:
		if err != nil {
			return "; the core's own link failed: " + err.Error()
		}
		return "; the core's own link works"
	default:
		return ""
	}
}
