package meshcore

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// The rhythm of a shard.
const (
	shardTick       = 250 * time.Millisecond // blocks, silences, what is due again
	shardFlush      = 20 * time.Millisecond  // after an ack: facts, progress, further sends
	summaryInterval = 5 * time.Second        // part 4: summaries upwards
	silentAfter     = 30 * time.Second       // 6.1: no heartbeat for 30+ seconds
	shardInbox      = 8192                   // messages that may wait for a shard
)

// shard is one sector: its coordinator and the leads of its clusters, in one
// goroutine that owns everything here. What other goroutines have for it comes
// through calls.
type shard struct {
	sector int
	cfg    *shardConfig
	log    *slog.Logger

	reg     *registry.Sector
	freezes *registry.FreezeLog
	leads   []*lead // cluster n is leads[n-1]
	ops     map[string]*delivering
	freeze  map[uint64]*freezing // orders of the last minute
	told    uint64               // no state with a lower Seq is told to hosts: those of before the start

	id     string    // unlike that of a shard that failed before it
	begun  bool      // the orchestrator has begun to tell the state
	askAt  time.Time // when it is asked to (again)
	latest answered  // the last order that was obeyed

	inbox     chan *nats.Msg
	inlet     inlet
	calls     chan func(now time.Time)
	soon      *time.Timer
	soonSet   bool
	holdUntil time.Time // the core doubts itself: nobody is silent before
	summaryAt time.Time
	counters  *wire.ShardCounters // the registry's; what it does not count is counted here
	silent    map[string]bool     // agents whose silence is a fact
	quit      chan struct{}
}

// shardConfig is what all shards of a core share.
type shardConfig struct {
	mesh      string
	topo      *wire.Topology
	epoch     uint64
	heartbeat time.Duration
	maxQueue  int
	nc        *nats.Conn
	scribe    *scribe
	log       *slog.Logger
}

func newShard(sector int, cfg *shardConfig) *shard {
	s := &shard{
		sector:  sector,
		id:      newID(time.Now()),
		cfg:     cfg,
		log:     cfg.log.With("sector", sector),
		reg:     registry.NewSector(sector, cfg.topo, cfg.epoch),
		freezes: registry.NewFreezeLog(cfg.topo),
		ops:     map[string]*delivering{},
		freeze:  map[uint64]*freezing{},
		inbox:   make(chan *nats.Msg, shardInbox),
		calls:   make(chan func(time.Time), 64),
		soon:    time.NewTimer(time.Hour),
		silent:  map[string]bool{},
		quit:    make(chan struct{}),
	}
	s.counters = s.reg.Counters()
	for i := range cfg.topo.Sectors[sector-1].Clusters {
		s.leads = append(s.leads, newLead(wire.Address{Sector: sector, Cluster: i + 1}))
	}
	return s
}

// run serves the sector until ctx ends. It begins by asking the orchestrator
// for its state: who is enrolled, what is frozen, what is under way.
func (s *shard) run(ctx context.Context) error {
	defer close(s.quit)
	defer s.inlet.close()
	subjects := []string{wire.SubjectShard(s.sector)}
	for _, u := range wire.Uplinks {
		subjects = append(subjects, u.OfSector(s.sector))
	}
	for _, subject := range subjects {
		sub, err := s.cfg.nc.ChanSubscribe(subject, s.inbox)
		if err != nil {
			return fmt.Errorf("sector %d: subscribing to %s: %w", s.sector, subject, err)
		}
		s.inlet.subs = append(s.inlet.subs, sub)
	}
	s.ask(time.Now())

	// Sectors tick out of step, so that the core's work is spread.
	tick := time.NewTimer(shardTick * time.Duration(s.sector%16) / 16)
	defer tick.Stop()
	defer s.soon.Stop()
	s.summaryAt = time.Now().Add(summaryInterval * time.Duration(s.sector%32) / 32)
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-s.inbox:
			s.take(m, time.Now())
		case call := <-s.calls:
			call(time.Now())
		case <-s.soon.C:
			s.soonSet = false
			s.flush(time.Now(), false)
		case <-tick.C:
			tick.Reset(shardTick)
			s.tick(time.Now())
		}
	}
}

// askAgain is how long a shard waits for its state before it asks again.
const askAgain = time.Second

// ask asks the orchestrator for the sector's state.
func (s *shard) ask(now time.Time) {
	s.askAt = now.Add(askAgain)
	s.tell(&wire.ShardReport{Started: true, ID: s.id})
}

// later runs call in the shard's goroutine, unless that has ended.
func (s *shard) later(call func(now time.Time)) {
	select {
	case s.calls <- call:
	case <-s.quit:
	}
}

// flushSoon arms flush: what happens within shardFlush is told together.
func (s *shard) flushSoon() {
	if !s.soonSet {
		s.soonSet = true
		s.soon.Reset(shardFlush)
	}
}

// take handles one message from a host or the orchestrator.
func (s *shard) take(m *nats.Msg, now time.Time) {
	if m.Subject == wire.SubjectShard(s.sector) {
		s.obey(m, now)
		return
	}
	uplink, cluster, host, err := wire.ParseUplink(m.Subject)
	if err != nil || cluster.Cluster > len(s.leads) {
		s.counters.Undecodable++
		return
	}
	if m.Reply != "" && !repliesTo(m, host) {
		s.counters.Foreign++
		return
	}
	l := s.leads[cluster.Cluster-1]
	switch uplink {
	case wire.UplinkHeartbeat:
		s.onHeartbeat(l, host, m, now)
	case wire.UplinkAck:
		s.onAck(l, host, m, now)
	case wire.UplinkHello:
		s.onHello(l, host, m, now)
	case wire.UplinkReport:
		s.onReport(l, host, m, now)
	}
}

// tick does what comes with time alone.
func (s *shard) tick(now time.Time) {
	if !s.begun && !now.Before(s.askAt) {
		s.ask(now)
	}
	s.overrun(now)
	s.reg.Due(now, s.cfg.heartbeat)
	if now.After(s.holdUntil) {
		for _, silence := range s.reg.Expire(now, silentAfter) {
			for _, id := range silence.Agents {
				s.silent[id] = true
			}
			s.note(now, wire.FactSilent, silence.Cluster, silence.Agents,
				fmt.Sprintf("%d agents of %s silent for %v", len(silence.Agents), silence.Cluster, silentAfter))
		}
	}
	for _, b := range s.reg.Blocks(now) {
		s.publish(wire.SubjectRegistry(b.Cluster), b)
	}
	if !now.Before(s.summaryAt) {
		s.summaryAt = now.Add(summaryInterval)
		summary := s.reg.Summary(now)
		summary.Header = wire.Head(wire.TypeSectorSummary)
		s.publish(wire.SubjectSector(s.sector), &summary)
	}
	s.flush(now, true)
}

// overrun notices what was lost because it came too fast, and says it. Hosts and
// the orchestrator repeat what matters.
func (s *shard) overrun(now time.Time) {
	s.counters.Dropped += uint64(s.inlet.lost())
	if n := s.inlet.say(now); n > 0 {
		s.log.Warn("the shard is overrun", "lost", n)
		s.cfg.scribe.write([]wire.Fact{{
			At: now, Kind: wire.FactOverrun, Actor: "core", Address: wire.Address{Sector: s.sector},
			Text: fmt.Sprintf("%d messages came faster than sector %d took them, and are lost", n, s.sector),
		}}, nil)
	}
}

// flush tells what has changed: of freezes, of deliveries; and sends what is due.
func (s *shard) flush(now time.Time, atOnce bool) {
	s.flushFreezes(now)
	for _, d := range s.ops {
		s.pump(d, now)
		s.tellProgress(d, now, atOnce)
	}
}

// note writes a fact about agents of a cluster.
func (s *shard) note(now time.Time, kind wire.FactKind, cluster wire.Address, agents []string, text string) {
	s.cfg.scribe.write([]wire.Fact{{
		At: now, Kind: kind, Actor: "core", Address: cluster, Text: text,
		Data: encodeData(wire.AgentList{Agents: agents}),
	}}, nil)
}

// tell sends a report to the orchestrator.
func (s *shard) tell(r *wire.ShardReport) {
	r.Header = wire.Head(wire.TypeShardReport)
	r.Sector = s.sector
	s.publish(wire.SubjectShardUp(s.sector), r)
}

// publish sends m. What cannot be sent is not lost: registry blocks come again,
// what a host has not acknowledged is sent again, and a lost link is the doubt
// of the orchestrator, which hears nothing then.
func (s *shard) publish(subject string, m wire.Message) {
	if err := s.cfg.nc.Publish(subject, wire.Encode(m)); err != nil {
		s.log.Warn("not published", "subject", subject, "err", err)
	}
}

// respond answers a request; without a reply subject there is nobody to answer.
func (s *shard) respond(m *nats.Msg, answer wire.Message) {
	if m.Reply != "" {
		s.publish(m.Reply, answer)
	}
}
