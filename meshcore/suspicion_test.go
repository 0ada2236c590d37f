package meshcore

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// began is when the core of these tests started.
var began = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// step is a second in the life of a core: whom it heard, and what it makes of it.
type step struct {
	after           time.Duration // since it started
	expected, heard int
	want            judgement
}

func TestTheCoreSuspectsItselfBeforeTheFleet(t *testing.T) {
	const s = time.Second
	for story, steps := range map[string][]step{
		"a start: who has yet to come is waited for, and comes": {
			{1 * s, 100, 0, doubts}, {5 * s, 100, 94, holds}, {6 * s, 100, 95, relieved}, {7 * s, 100, 60, trusts},
		},
		"a start after which half never come: believed after 30 s, and only once": {
			{1 * s, 100, 50, doubts}, {30 * s, 100, 50, holds}, {31 * s, 100, 50, believes}, {32 * s, 50, 50, trusts}, {99 * s, 50, 50, trusts},
		},
		"mass silence that ends": {
			{1 * s, 100, 100, trusts}, {9 * s, 100, 49, doubts}, {20 * s, 100, 0, holds}, {21 * s, 100, 50, relieved}, {22 * s, 100, 50, trusts},
		},
		"mass silence that is believed is not doubted again while it lasts": {
			{1 * s, 100, 100, trusts}, {9 * s, 100, 0, doubts}, {38 * s, 100, 0, holds}, {39 * s, 100, 0, believes}, {90 * s, 100, 0, trusts},
		},
		"a second mass silence, after the first has ended, is doubted anew": {
			{1 * s, 100, 100, trusts}, {9 * s, 100, 0, doubts}, {39 * s, 100, 0, believes}, {50 * s, 100, 100, trusts}, {60 * s, 100, 10, doubts},
		},
		"half of them silent is the fleet's own affair": {
			{1 * s, 100, 100, trusts}, {9 * s, 100, 50, trusts}, {50 * s, 100, 50, trusts},
		},
		"a few agents say nothing about the core": {
			{1 * s, 9, 9, trusts}, {9 * s, 9, 0, trusts}, {50 * s, 9, 0, trusts}, {51 * s, 10, 0, doubts},
		},
		"at a start even one agent is waited for: its mesh is no emergency yet": {
			{1 * s, 0, 0, trusts}, {2 * s, 1, 0, doubts}, {9 * s, 1, 1, relieved}, {10 * s, 1, 0, trusts},
		},
	} {
		t.Run(story, func(t *testing.T) {
			var core suspicion
			for _, now := range steps {
				if is := core.judge(began.Add(now.after), now.expected, now.heard); is != now.want {
					t.Fatalf("at %v, %d of %d heard: judgement %d, want %d", now.after, now.heard, now.expected, is, now.want)
				}
			}
		})
	}
}

// Whatever happens, a doubt begins only in silence, lasts 30 s at most, and is
// followed by another only after somebody was heard again.
func TestADoubtEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var core suspicion
		now, since, believed := began, time.Time{}, false
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 10_000).Draw(t, "ms")) * time.Millisecond)
			expected := rapid.IntRange(0, 40).Draw(t, "expected")
			heard := rapid.IntRange(0, expected).Draw(t, "heard")
			is := core.judge(now, expected, heard)
			switch {
			case is == doubts && (believed || !since.IsZero()):
				t.Fatal("a doubt within a doubt, or within a silence that is believed")
			case is == doubts:
				since = now
			case is == holds && now.Sub(since) >= doubtFor:
				t.Fatalf("state is held for %v", now.Sub(since))
			case is == believes:
				since, believed = time.Time{}, true
			case is == relieved || is == trusts && !core.silent(expected, heard):
				since, believed = time.Time{}, false
			}
			if core.holding() != !since.IsZero() {
				t.Fatalf("holding is %v", core.holding())
			}
			if core.holding() && !core.until().Equal(since.Add(doubtFor)) {
				t.Fatalf("held since %v until %v", since, core.until())
			}
		}
	})
}
