package meshcore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/mode"
	"mesh30k/meshcore/wire"
)

// The rhythm of the orchestrator.
const (
	viewInterval  = 100 * time.Millisecond // a new view of the replica, if a block came
	statsInterval = 10 * time.Second       // 4.3: updated every 10 seconds
	modeInterval  = time.Second            // how soon a change of mode is told
	flushWait     = 10 * time.Second       // for the core's own broker to take subscriptions
)

// orchestrate owns the replica: it folds the registry's blocks, computes the
// global statistics, answers shards that start and collects what they report.
func (c *Core) orchestrate(ctx context.Context, ready chan<- struct{}) error {
	blocks := make(chan *nats.Msg, 1<<16)
	reports := make(chan *nats.Msg, 1<<14)
	joins := make(chan *nats.Msg, 1<<10)
	sums := make(chan *nats.Msg, 1<<12)
	o := &picture{core: c, counters: map[int]wire.ShardCounters{}, trendsAt: nextMinute(time.Now())}
	defer o.inlet.close()
	for subject, ch := range map[string]chan *nats.Msg{
		wire.SubjectBlock: blocks, wire.SubjectShardsUp: reports, wire.SubjectJoin: joins,
		wire.SubjectSectors: sums,
	} {
		sub, err := c.conn.ChanSubscribe(subject, ch)
		if err != nil {
			return fmt.Errorf("subscribing to %s: %w", subject, err)
		}
		o.inlet.subs = append(o.inlet.subs, sub)
	}
	if err := c.conn.FlushTimeout(flushWait); err != nil {
		return fmt.Errorf("subscribing the orchestrator: %w", err)
	}
	close(ready)

	// A join waits for its facts; the picture must not wait for joins.
	c.spawn(func() { c.serveJoins(ctx, joins) })

	view := time.NewTicker(viewInterval)
	defer view.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-blocks:
			o.fold(m)
		case m := <-sums:
			o.count(m)
		case m := <-reports:
			c.onReport(m)
		case now := <-view.C:
			o.tick(ctx, now)
			for _, b := range c.outboxes {
				b.again(now)
			}
		}
	}
}

// picture is what the orchestrator's goroutine keeps about the registry.
type picture struct {
	core     *Core
	dirty    bool
	inlet    inlet
	lost     uint64    // messages that came faster than they were folded
	modeAt   time.Time // when the mode is computed next
	statsAt  time.Time // when statistics are published next
	trendsAt time.Time
	mode     string
	counters map[int]wire.ShardCounters // latest of each sector
}

func (o *picture) fold(m *nats.Msg) {
	var b wire.Block
	if err := wire.Decode(m.Data, wire.TypeBlock, &b); err != nil {
		o.core.log.Error("registry block not understood", "err", err)
		return
	}
	if o.core.replica.Apply(&b) {
		o.dirty = true
	}
}

// count keeps what a sector's summary says its leads have counted.
func (o *picture) count(m *nats.Msg) {
	var s wire.SectorSummary
	if err := wire.Decode(m.Data, wire.TypeSectorSummary, &s); err != nil {
		o.core.log.Error("summary of a sector not understood", "err", err)
		return
	}
	o.counters[s.Sector] = s.Counters
}

func (o *picture) tick(ctx context.Context, now time.Time) {
	c := o.core
	if o.dirty {
		o.dirty = false
		c.view.Store(c.replica.View())
	}
	if now.Before(o.modeAt) {
		return
	}
	o.modeAt = now.Add(modeInterval)
	o.overrun(now)
	stats := c.View().Stats()
	stats.Header = wire.Head(wire.TypeGlobalStats)
	stats.Mesh, stats.Timestamp, stats.CoreStarted = c.opt.Topology.Mesh, now, c.start
	for _, counted := range o.counters {
		stats.Counters.Add(counted)
	}
	stats.Counters.Dropped += o.lost
	c.suspect(ctx, now, &stats)
	changed := o.setMode(now, &stats)
	c.stats.Store(&stats)
	if changed || !now.Before(o.statsAt) {
		o.statsAt = now.Add(statsInterval)
		if err := c.conn.Publish(wire.SubjectMesh, wire.Encode(&stats)); err != nil {
			c.log.Warn("statistics not published", "err", err)
		}
	}
	if !now.Before(o.trendsAt) {
		o.keepTrends(ctx, o.trendsAt)
		o.trendsAt = nextMinute(now)
	}
}

// overrun notices what was lost because it came too fast, says it, and asks for
// the blocks again: a cluster that has fallen silent would not send another.
func (o *picture) overrun(now time.Time) {
	c := o.core
	if n := o.inlet.lost(); n > 0 {
		o.lost += uint64(n)
		for n := range c.outboxes {
			c.order(n+1, &wire.ShardOrder{Show: true})
		}
	}
	if n := o.inlet.say(now); n > 0 {
		c.log.Warn("the orchestrator is overrun", "lost", n)
		c.scribe.write([]wire.Fact{{
			At: now, Kind: wire.FactOverrun, Actor: "core",
			Text: fmt.Sprintf("%d messages came faster than the orchestrator took them, and are lost; sectors are asked again", n),
		}}, nil)
	}
}

// setMode fills in 6.3's mode and makes a change of it a fact. While the core
// doubts itself the mode stays what it was.
func (o *picture) setMode(now time.Time, stats *wire.GlobalStats) (changed bool) {
	is, ok := mode.Of(stats.ActiveAgents, stats.TotalAgents)
	name := ""
	if ok {
		name = string(is.Name)
	}
	if stats.Doubt != "" {
		name = o.mode
	}
	stats.Mode = name
	if name == o.mode {
		return false
	}
	was := o.mode
	o.mode = name
	if name != "" {
		text := fmt.Sprintf("mode %s: %d of %d agents active", name, stats.ActiveAgents, stats.TotalAgents)
		if was != "" {
			text = fmt.Sprintf("mode %s, was %s: %d of %d agents active", name, was, stats.ActiveAgents, stats.TotalAgents)
		}
		o.core.scribe.write([]wire.Fact{{
			At: now, Kind: wire.FactMode, Actor: "core", Text: text,
			Data: encodeData(wire.ModeChange{From: was, To: name}),
		}}, nil)
	}
	return true
}

// keepTrends writes the rows of the minute that ends, away from this goroutine.
func (o *picture) keepTrends(ctx context.Context, minute time.Time) {
	if o.core.opt.Trends == nil {
		return
	}
	rows := o.core.View().TrendRows(minute.Add(-time.Minute))
	o.core.spawn(func() {
		if err := o.core.opt.Trends.WriteTrends(ctx, rows); err != nil && ctx.Err() == nil {
			o.core.log.Error("trends not written", "minute", minute, "err", err)
		}
	})
}

func nextMinute(now time.Time) time.Time { return now.Truncate(time.Minute).Add(time.Minute) }

// onReport takes what a shard tells.
func (c *Core) onReport(m *nats.Msg) {
	var r wire.ShardReport
	if err := wire.Decode(m.Data, wire.TypeShardReport, &r); err != nil {
		c.log.Error("report of a shard not understood", "err", err)
		return
	}
	if r.Sector < 1 || r.Sector > len(c.outboxes) {
		c.log.Error("report of a shard that does not exist", "sector", r.Sector)
		return
	}
	switch {
	case r.Started:
		c.brief(r.Sector, r.ID)
	case r.ID != "":
		c.outboxes[r.Sector-1].answered(&r)
	case r.Freeze != nil:
		c.freezer.progress(r.Sector, *r.Freeze)
	case r.Delivery != nil:
		c.ops.progress(r.Sector, *r.Delivery)
	}
}

// freezesPerOrder is how many past orders a shard is told at once.
const freezesPerOrder = 500

// brief tells a shard that starts what it must know: what is frozen, who is
// enrolled, what is under way, in this order, since each builds on the last.
func (c *Core) brief(sector int, shard string) {
	c.outboxes[sector-1].renew(shard, func() []*wire.ShardOrder {
		state := []*wire.ShardOrder{{Begin: &wire.ShardHold{Until: c.doubt.until()}}}
		known, awaited := c.freezer.known(c.ops.oldest())
		for orders := range slices.Chunk(ofSector(sector, known), freezesPerOrder) {
			state = append(state, &wire.ShardOrder{Freezes: &orders})
		}
		for _, agents := range c.enrolment.ofSector(sector) {
			state = append(state, &wire.ShardOrder{Enrol: &agents})
		}
		for _, order := range ofSector(sector, awaited) { // again: somebody waits for their progress
			state = append(state, &wire.ShardOrder{Freeze: &order})
		}
		for _, d := range c.ops.ofSector(sector) {
			state = append(state, &wire.ShardOrder{Deliver: &d})
		}
		return state
	})
}
