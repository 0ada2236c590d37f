package meshcore

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// doubt is the core's suspicion of itself. Its fields belong to the
// orchestrator's goroutine.
type doubt struct {
	suspicion
	proof chan error // of the round trip under way
}

// suspect begins, keeps or ends the core's doubt in itself, from the share of
// agents that should have been heard in the last two heartbeats and were not.
func (c *Core) suspect(ctx context.Context, now time.Time, stats *wire.GlobalStats) {
	d := &c.doubt
	expected, heard := c.recentlyHeard(now)
	why := "mass silence"
	if !d.greeted {
		why = "core has just started"
	}
	switch d.judge(now, expected, heard) {
	case doubts:
		c.hold(d.until())
		c.doubtFact(now, fmt.Sprintf("%s: %d of %d agents heard; state is held while the core suspects itself", why, heard, expected))
		proof := make(chan error, 1)
		d.proof = proof
		c.spawn(func() { proof <- c.prove(ctx) })
	case relieved:
		c.hold(now)
		c.doubtFact(now, fmt.Sprintf("doubt ended, heard again: %d of %d agents", heard, expected))
	case believes:
		c.hold(now)
		c.doubtFact(now, fmt.Sprintf("doubt ended, the silence is believed: %d of %d agents heard%s", heard, expected, d.verdict()))
	case trusts, holds:
	}
	if d.holding() {
		stats.Doubt = fmt.Sprintf("heard %d of %d agents in the last %v; the core suspects itself until %s",
			heard, expected, 2*c.opt.Heartbeat, d.until().Format(time.TimeOnly))
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
			if !r.State.Heard() && !c.doubt.expectsSilent() {
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
