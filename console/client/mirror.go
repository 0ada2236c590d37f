package client

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// Replica is a registry made of blocks.
type Replica interface {
	Apply(*wire.Block) bool
	Picture() console.Picture
}

// Sight is what a console sees of a mesh at one instant.
type Sight struct {
	Picture console.Picture // nil: nothing has been seen yet
	Stats   wire.GlobalStats
	Facts   []wire.Fact // that became durable since the last sight, oldest first
	Dropped int         // facts let go because nobody looked in time
	Up      bool
	Since   time.Time // of Up; of the last word of the core while it is down
	Why     string    // what is waited for, or why it is down
	At      time.Time

	seen uint64 // Seq of the latest of all Facts
}

// mirrorInterval is the least time between two sights, retryInterval between
// two attempts to reach a core.
const (
	mirrorInterval = 100 * time.Millisecond
	retryInterval  = 300 * time.Millisecond
	showInterval   = time.Second // a sight even without news: it says that there are none
)

// Mirror shows a mesh to a console until ctx ends: it finds the core, keeps a
// replica of the registry, and when the core goes away says so, keeps the last
// picture and tries again.
type Mirror struct {
	// Find connects to the core; while there is none its error says why.
	Find func(ctx context.Context) (*Client, error)
	// NewReplica makes an empty replica for a topology.
	NewReplica func(*wire.Topology) Replica
	// Show takes each sight; it is called by Run alone and may block: what
	// happens meanwhile is in the next.
	Show func(Sight)
}

// Run mirrors until ctx ends.
func (m *Mirror) Run(ctx context.Context) {
	s := Sight{Since: time.Now()}
	for ctx.Err() == nil {
		c, err := m.Find(ctx)
		if err != nil {
			s.Up, s.Why = false, err.Error()
			m.Show(s)
			wait(ctx, retryInterval)
			continue
		}
		m.follow(ctx, c, &s)
		c.Close()
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// follow mirrors over one connection until it has to be made anew.
func (m *Mirror) follow(ctx context.Context, c *Client, s *Sight) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed, err := c.Watch(ctx)
	if err != nil {
		s.Up, s.Why = false, err.Error()
		m.Show(*s)
		return
	}
	var replica Replica
	reload, shown := true, time.Time{}
	tick := time.NewTicker(mirrorInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		up := c.Connected()
		if up && reload {
			fresh, out := m.load(ctx, c, replica, s)
			if fresh == nil {
				s.Up, s.Why = false, out.Text
				m.Show(*s)
				wait(ctx, retryInterval)
				continue
			}
			replica, reload = fresh, false
			m.past(ctx, c, s)
		}
		news := m.look(s, feed.Take(), replica, up, &reload)
		if now := time.Now(); news || now.Sub(shown) >= showInterval {
			shown = now
			m.Show(*s)
			s.Facts, s.Dropped = nil, 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// load asks the core for all blocks. A mesh whose topology is another than the
// last has another replica.
func (m *Mirror) load(ctx context.Context, c *Client, old Replica, s *Sight) (Replica, wire.Outcome) {
	topology, blocks, out := c.Replica(ctx)
	if topology == nil {
		return nil, out
	}
	if old == nil || old.Picture().Topology().Mesh != topology.Mesh || len(old.Picture().Topology().Sectors) != len(topology.Sectors) {
		old = m.NewReplica(topology)
	}
	for _, b := range blocks {
		old.Apply(b)
	}
	s.Picture, s.At = old.Picture(), time.Now()
	var data struct {
		Stats *wire.GlobalStats `json:"stats"`
	}
	if err := json.Unmarshal(out.Data, &data); err == nil {
		s.complete(data.Stats)
	}
	return old, out
}

// past asks for the facts that the console has not seen: of the last hour at
// first, after a lost connection what happened meanwhile. Without an answer the
// feed begins where it is.
func (m *Mirror) past(ctx context.Context, c *Client, s *Sight) {
	action, err := console.ParseLine("history --since 1h")
	if err != nil {
		return // the catalog has it
	}
	var facts []wire.Fact
	c.Read(ctx, action, Handlers{Rows: func(rows []jsontext.Value) {
		for _, row := range rows {
			var f wire.Fact
			if json.Unmarshal(row, &f) == nil {
				facts = append(facts, f)
			}
		}
	}})
	slices.Reverse(facts) // they come newest first
	s.add(facts)
}

// add appends the facts that are newer than all before; the feed and the history
// may both bring one.
func (s *Sight) add(facts []wire.Fact) {
	for _, f := range facts {
		if f.Seq > s.seen {
			s.seen = f.Seq
			s.Facts = append(s.Facts, f)
		}
	}
}

// look takes in what the feed has collected; it reports whether that is news.
func (m *Mirror) look(s *Sight, u console.Update, replica Replica, up bool, reload *bool) (news bool) {
	now := time.Now()
	if news = up != s.Up; news {
		s.Up, s.Since = up, now
	}
	s.Why = ""
	if !up {
		s.Why = "connection lost, trying again"
		return news
	}
	changed := false
	for _, b := range u.Blocks {
		changed = replica.Apply(b) || changed
	}
	if changed {
		s.Picture, s.At = replica.Picture(), now
	}
	s.complete(u.Stats)
	s.add(u.Facts)
	s.Dropped += u.Dropped
	*reload = *reload || u.Reload
	return news || changed || u.Stats != nil || len(u.Facts) > 0
}

// complete computes the statistics from the picture and keeps of the core's
// what only the core knows.
func (s *Sight) complete(latest *wire.GlobalStats) {
	known := s.Stats
	if latest != nil {
		known = *latest
	}
	if s.Picture == nil {
		return
	}
	s.Stats = s.Picture.Stats()
	s.Stats.Mesh, s.Stats.Mode, s.Stats.Doubt = s.Picture.Topology().Mesh, known.Mode, known.Doubt
	s.Stats.Counters, s.Stats.CoreStarted = known.Counters, known.CoreStarted
}
