package gather_test

import (
	"maps"
	"testing"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/wire"
)

func TestTheTallyAddsSectorsUpAndNamesTheMissing(t *testing.T) {
	targets := wire.Targets{{Sector: 1, Agents: of(1, 2, 3, 4)}, {Sector: 3, Agents: of(7, 8)}}
	addressed := wire.Targets{{Sector: 1, Agents: of(1, 2, 3)}, {Sector: 3, Agents: of(7, 8)}} // 4 is of class F
	tally := gather.NewTally(targets, addressed)
	check := func(when string, received, acknowledged int, doneReceived, doneAck bool) {
		t.Helper()
		if r, a := tally.Received(), tally.Acknowledged(); r != received || a != acknowledged {
			t.Errorf("%s: %d received, %d acknowledged; want %d and %d", when, r, a, received, acknowledged)
		}
		if r, a := tally.Done(false), tally.Done(true); r != doneReceived || a != doneAck {
			t.Errorf("%s: done %v, with acknowledgement %v", when, r, a)
		}
	}
	check("at first", 0, 0, false, false)
	if got := tally.States(); !maps.Equal(got, map[string]int{"UNSENT": 6}) {
		t.Errorf("at first: %v", got)
	}

	tally.Fold(1, wire.DeliveryProgress{
		States: map[wire.DeliveryState]wire.Bits{wire.Sent: of(4), wire.Received: of(1), wire.Worked: of(2), wire.Refused: of(3)},
		Codes:  map[wire.Code]wire.Bits{wire.CodeQueueFull: of(3)}, Again: of(2), Settled: true,
	})
	check("one sector", 3, 1, false, false)
	if tally.Settled() {
		t.Error("settled without sector 3")
	}

	tally.Fold(3, wire.DeliveryProgress{States: map[wire.DeliveryState]wire.Bits{wire.InConflict: of(7), wire.Sent: of(8)}})
	check("on the way", 4, 2, false, false)
	if got := tally.Missing(false); got.Len() != 1 || !got.Sector(3).Has(8) {
		t.Errorf("not received: %v", got)
	}

	tally.Fold(3, wire.DeliveryProgress{States: map[wire.DeliveryState]wire.Bits{wire.InConflict: of(7), wire.Expired: of(8)}})
	check("expired is over, but neither received nor acknowledged", 4, 2, true, false)
	if got := tally.Missing(true); got.Len() != 3 || !got.Sector(1).Has(1) || !got.Sector(1).Has(3) || !got.Sector(3).Has(8) {
		t.Errorf("not acknowledged: %v", got)
	}
	want := map[string]int{"SENT": 1, "RECEIVED": 1, "WORKED": 1, "REFUSED": 1, "CONFLICT": 1, "EXPIRED": 1}
	if got := tally.States(); !maps.Equal(got, want) {
		t.Errorf("states %v", got)
	}
	if tally.WorkedAgain() != 1 || tally.Codes()[wire.CodeQueueFull] != 1 {
		t.Errorf("again %d, codes %v", tally.WorkedAgain(), tally.Codes())
	}

	tally.Fold(1, wire.DeliveryProgress{
		States: map[wire.DeliveryState]wire.Bits{wire.Sent: of(4), wire.Worked: of(1, 2), wire.Refused: of(3)}, Settled: true,
	})
	check("who was not addressed is not waited for", 4, 3, true, true)
	tally.Fold(3, wire.DeliveryProgress{States: map[wire.DeliveryState]wire.Bits{wire.InConflict: of(7), wire.Expired: of(8)}, Settled: true})
	if !tally.Settled() {
		t.Error("every sector is settled, the tally is not")
	}
}

func TestTheTallyKnowsOneDelivery(t *testing.T) {
	tally := gather.NewTally(wire.Targets{{Sector: 1, Agents: of(1, 2)}}, nil)
	if s, code := tally.Of(1, 1); s != wire.Unsent || code != "" {
		t.Errorf("untold: %s %q", s, code)
	}
	tally.Fold(1, wire.DeliveryProgress{
		States: map[wire.DeliveryState]wire.Bits{wire.Sent: of(2), wire.Refused: of(1)},
		Codes:  map[wire.Code]wire.Bits{wire.CodeQueueFull: of(1)},
	})
	if s, code := tally.Of(1, 1); s != wire.Refused || code != wire.CodeQueueFull {
		t.Errorf("refused: %s %q", s, code)
	}
	if s, code := tally.Of(1, 2); s != wire.Sent || code != "" {
		t.Errorf("sent: %s %q", s, code)
	}
}

func TestNothingIsOverBeforeEverySectorHasTold(t *testing.T) {
	targets := wire.Targets{{Sector: 1, Agents: of(1)}, {Sector: 3, Agents: of(7)}}
	tally := gather.NewTally(targets, nil) // when it was planned all were frozen
	frozen := func(agent int) wire.DeliveryProgress {
		return wire.DeliveryProgress{States: map[wire.DeliveryState]wire.Bits{wire.Frozen: of(agent)}}
	}
	tally.Fold(1, frozen(1))
	if tally.Done(false) || tally.Done(true) {
		t.Error("over while sector 3 has said nothing")
	}
	tally.Fold(3, frozen(7))
	if !tally.Done(false) || !tally.Done(true) {
		t.Error("not over though all are frozen")
	}
}
