package client

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// MaxFacts is how many facts a Feed keeps for a console that does not look.
const MaxFacts = 4096

// Feed collects what the core publishes until somebody looks: of each cluster
// and sector the latest, of facts the last MaxFacts. A slow reader costs itself
// facts, which are counted, and nobody else anything.
type Feed struct {
	changed chan struct{}

	mu      sync.Mutex
	blocks  map[wire.Address]*wire.Block
	sectors map[int]*wire.SectorSummary
	rest    console.Update
}

// Watch begins to collect; it ends with ctx.
func (c *Client) Watch(ctx context.Context) (*Feed, error) {
	f := newFeed()
	var subs []*nats.Subscription
	stop := func() {
		for _, s := range subs {
			_ = s.Unsubscribe() // fails only when the connection is gone
		}
	}
	for _, subject := range []string{wire.SubjectBlock, wire.SubjectSums, wire.SubjectFeed} {
		sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) { f.take(m.Data) })
		if err != nil {
			stop()
			return nil, fmt.Errorf("watching %s: %w; is the core running?", subject, err)
		}
		subs = append(subs, sub)
	}
	context.AfterFunc(ctx, stop)
	states := c.nc.StatusChanged(nats.CONNECTED)
	go func() {
		defer c.nc.RemoveStatusListener(states)
		reloadOn(ctx, f, states)
	}()
	for _, s := range subs {
		go reloadOn(ctx, f, s.StatusChanged(nats.SubscriptionSlowConsumer))
	}
	return f, nil
}

func newFeed() *Feed {
	return &Feed{
		changed: make(chan struct{}, 1),
		blocks:  map[wire.Address]*wire.Block{},
		sectors: map[int]*wire.SectorSummary{},
	}
}

// reloadOn asks for a reload whenever something was missed: when the connection
// comes back, and when more came than could be decoded.
func reloadOn[S any](ctx context.Context, f *Feed, missed <-chan S) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-missed:
			if !open {
				return
			}
			f.change(func() { f.rest.Reload = true })
		}
	}
}

// Changed has a value when there is something to Take. It is never closed.
func (f *Feed) Changed() <-chan struct{} { return f.changed }

// Take returns what has been collected and begins anew.
func (f *Feed) Take() console.Update {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.rest
	for _, b := range f.blocks {
		u.Blocks = append(u.Blocks, b)
	}
	for _, s := range f.sectors {
		u.Sectors = append(u.Sectors, s)
	}
	f.rest = console.Update{}
	clear(f.blocks)
	clear(f.sectors)
	return u
}

func (f *Feed) change(do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	select {
	case f.changed <- struct{}{}:
	default: // somebody has been told already
	}
}

// take decodes outside the lock: a look never waits for JSON.
func (f *Feed) take(data []byte) {
	t, err := wire.PeekType(data)
	if err == nil {
		switch t {
		case wire.TypeBlock:
			err = deliver(data, t, f.takeBlock)
		case wire.TypeSectorSummary:
			err = deliver(data, t, func(s wire.SectorSummary) { f.change(func() { f.sectors[s.Sector] = &s }) })
		case wire.TypeGlobalStats:
			err = deliver(data, t, func(s wire.GlobalStats) { f.change(func() { f.rest.Stats = &s }) })
		case wire.TypeFeed:
			err = deliver(data, t, func(m wire.Feed) { f.change(func() { f.addFacts(m.Facts) }) })
		default: // of a newer core
		}
	}
	if err != nil {
		f.change(func() { f.rest.Undecodable++ })
	}
}

func (f *Feed) takeBlock(b wire.Block) {
	f.change(func() {
		if console.Newer(&b, f.blocks[b.Cluster]) {
			f.blocks[b.Cluster] = &b
		}
	})
}

func (f *Feed) addFacts(facts []wire.Fact) {
	f.rest.Facts = append(f.rest.Facts, facts...)
	if over := len(f.rest.Facts) - MaxFacts; over > 0 {
		f.rest.Facts = append(f.rest.Facts[:0:0], f.rest.Facts[over:]...)
		f.rest.Dropped += over
	}
}
