package agentd

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTheClocksErrorBoundHolds draws trips of any asymmetry: the true offset
// must always lie within the bound.
func TestTheClocksErrorBoundHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "offset"))
		var c clock
		now := time.Unix(1_000_000, 0)
		for range rapid.IntRange(1, 30).Draw(t, "exchanges") {
			there := time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "there"))
			inside := time.Duration(rapid.Int64Range(0, 1e7).Draw(t, "inside"))
			back := time.Duration(rapid.Int64Range(0, 2e9).Draw(t, "back"))
			t2 := now.Add(there).Add(truth)
			t4 := now.Add(there + inside + back)
			delay, ok := c.add(now, t2, t2.Add(inside), t4)
			if !ok || delay != there+back {
				t.Fatalf("delay %v (%v), want %v", delay, ok, there+back)
			}
			offset, bound, known := c.estimate(t4)
			if !known || (offset-truth).Abs() > bound+2 { // halves are rounded
				t.Fatalf("offset %v, truth %v, bound %v", offset, truth, bound)
			}
			now = t4.Add(5 * time.Second)
		}
	})
}

func TestTheBestExchangeDecides(t *testing.T) {
	var c clock
	t0 := time.Unix(1_000_000, 0)
	c.add(t0, t0.Add(900*time.Millisecond), t0.Add(900*time.Millisecond), t0.Add(time.Second)) // 400 ms wrong
	c.add(t0, t0.Add(time.Millisecond), t0.Add(time.Millisecond), t0.Add(2*time.Millisecond))
	if offset, bound, _ := c.estimate(t0.Add(2 * time.Millisecond)); offset != 0 || bound != time.Millisecond {
		t.Errorf("offset %v, bound %v", offset, bound)
	}
}

func TestAClockThatWasSetIsNoticedAtOnce(t *testing.T) {
	var c clock
	t0 := time.Unix(1_000_000, 0)
	for i := range 8 {
		at := t0.Add(time.Duration(i) * time.Second)
		c.add(at, at.Add(time.Millisecond), at.Add(time.Millisecond), at.Add(2*time.Millisecond))
	}
	at := t0.Add(10 * time.Second)
	core := at.Add(time.Hour + 20*time.Millisecond) // set by an hour, and a slow trip
	c.add(at, core, core, at.Add(40*time.Millisecond))
	if offset, _, _ := c.estimate(at); offset != time.Hour {
		t.Errorf("offset %v, want 1h", offset)
	}
}

func TestImpossibleStampsAreNotTaken(t *testing.T) {
	var c clock
	t0 := time.Unix(1_000_000, 0)
	if _, ok := c.add(t0, t0.Add(time.Second), t0, t0.Add(time.Second)); ok {
		t.Error("out before in was taken")
	}
	if _, ok := c.add(t0, t0, t0.Add(2*time.Second), t0.Add(time.Second)); ok {
		t.Error("a core that took longer than the whole was taken")
	}
	if _, _, known := c.estimate(t0); known {
		t.Error("something is known")
	}
}
