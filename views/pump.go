package views

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
)

// beat is the least time between two messages of the feed.
const beat = 100 * time.Millisecond

// pump turns the feed into at most ten messages a second. Only one of its
// commands runs at a time: the model asks for the next after it has taken the
// last, so that a slow terminal slows the feed and not the keys.
type pump struct {
	feed  <-chan Update
	last  time.Time
	scene *scene
}

// sceneMsg is a new scene and what happened meanwhile.
type sceneMsg struct {
	scene  *scene
	events []event
}

// feedEndedMsg tells that no scene will come any more.
type feedEndedMsg struct{}

// next waits for updates until the beat is over, merges and digests them.
func (p *pump) next(ctx context.Context) tea.Msg {
	u, ok := p.receive(ctx, nil)
	if !ok {
		return feedEndedMsg{}
	}
	pause := time.NewTimer(beat - time.Since(p.last))
	defer pause.Stop()
	for {
		more, ok := p.receive(ctx, pause.C)
		if !ok {
			break // the beat is over, or the feed: then the next call says so
		}
		u = merge(u, more)
	}
	p.last = time.Now()
	p.scene = p.scene.next(u)
	return sceneMsg{p.scene, eventsOf(u)}
}

func (p *pump) receive(ctx context.Context, until <-chan time.Time) (Update, bool) {
	select {
	case <-ctx.Done():
		return Update{}, false
	case <-until:
		return Update{}, false
	case u, ok := <-p.feed:
		return u, ok
	}
}

// merge is one update in place of two.
func merge(a, b Update) Update {
	if b.Picture == nil {
		b.Picture = a.Picture
	}
	if b.At.IsZero() {
		b.At = a.At
	}
	if b.Stats.Timestamp.IsZero() && b.Stats.TotalAgents == 0 {
		b.Stats = a.Stats
	}
	b.Dropped += a.Dropped
	b.Facts = append(slices.Clip(a.Facts), b.Facts...)
	return b
}
