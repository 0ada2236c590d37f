package views

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"mesh30k/meshcore/wire"
)

func TestHoweverFastTheFeedIsTenMessagesASecondCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := make(chan Update)
		go func() {
			defer close(feed)
			for i := range 2000 { // two seconds, a thousand updates a second
				feed <- Update{At: time.Now(), Stats: wire.GlobalStats{TotalAgents: i + 1}, Facts: []wire.Fact{{Text: "x"}}}
				time.Sleep(time.Millisecond)
			}
		}()
		p := &pump{feed: feed, scene: &scene{}}
		messages, lines, last := 0, 0, 0
		for {
			msg, ok := p.next(t.Context()).(sceneMsg)
			if !ok {
				break
			}
			messages++
			lines += len(msg.events)
			last = msg.scene.stats.TotalAgents
		}
		if messages < 15 || messages > 22 {
			t.Errorf("%d messages in two seconds, want about 20", messages)
		}
		if lines != 2000 || last != 2000 {
			t.Errorf("%d lines and the state after update %d: nothing may be lost in between", lines, last)
		}
	})
}

func TestASlowFeedIsShownAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := make(chan Update, 1)
		p := &pump{feed: feed, scene: &scene{}}
		begin := time.Now()
		feed <- Update{Conn: ConnState{Why: "first"}}
		msg, _ := p.next(t.Context()).(sceneMsg)
		if waited := time.Since(begin); waited != 0 || msg.scene.conn.Why != "first" {
			t.Errorf("waited %v for %q", waited, msg.scene.conn.Why)
		}
	})
}

func TestThePumpEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &pump{feed: make(chan Update), scene: &scene{}}
	if _, ok := p.next(ctx).(feedEndedMsg); !ok {
		t.Error("next goes on after its context has ended")
	}
}

func TestWhatAnUpdateLeavesOutStays(t *testing.T) {
	s := (&scene{}).next(Update{Picture: meshOf100, Stats: meshOf100.Stats(), At: noon})
	s = s.next(Update{Conn: ConnState{Why: "gone"}})
	if s.picture == nil || s.stats.TotalAgents != 30_000 || !s.at.Equal(noon) || s.conn.Why != "gone" {
		t.Errorf("scene = %+v", s)
	}
}

func TestWhatIsLeftOutOfTheFeedIsCounted(t *testing.T) {
	facts := make([]wire.Fact, 3000)
	for i := range facts {
		facts[i].Text = "x"
	}
	lines := eventsOf(Update{Facts: facts, Dropped: 7})
	if len(lines) != eventsKept+1 || lines[0].text != "2,007 events came too fast to be shown; :history has them" {
		t.Errorf("%d lines, first %q", len(lines), lines[0].text)
	}
	var r ring
	for range 5 {
		r.add(lines)
	}
	if len(r.all) != eventsKept {
		t.Errorf("the ring holds %d", len(r.all))
	}
}
