package store

import (
	"fmt"
	"testing"

	"mesh30k/meshcore/wire"
)

func TestOperations(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	ctx := t.Context()
	all := try[[]OperationRecord](t)(s.Operations(ctx, 0))
	if len(all) != 2 || all[0].ID != "op2" || all[1].ID != "op1" {
		t.Fatalf("operations: %+v", all)
	}
	if all[0].End != nil || !all[0].EndedAt.IsZero() {
		t.Errorf("op2 goes on, but ended %+v at %v", all[0].End, all[0].EndedAt)
	}
	if latest := try[[]OperationRecord](t)(s.Operations(ctx, 1)); len(latest) != 1 || latest[0].ID != "op2" {
		t.Errorf("the latest: %+v", latest)
	}
	one := try[OperationRecord](t)(s.Operation(ctx, "op1"))
	if one.End == nil || one.End.Why != "all" || !one.EndedAt.Equal(y.batches[8].Facts[0].At) || !one.Targets.Sector(9).Has(0) {
		t.Errorf("op1: %+v", one)
	}
	if _, err := s.Operation(ctx, "op3"); codeOf(err) != wire.CodeNothingMatched {
		t.Errorf("op3: %v", err)
	}
}

func TestDeliveriesOfAnAgent(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	for _, c := range []struct {
		sector, ordinal int
		want            string
	}{
		{7, 0, "msg-op1=WORKED"},
		{7, 1, "msg-op1=WORKED"},
		{7, 2, "msg-op2=REFUSED"},
		{9, 0, "msg-op1=EXPIRED"},
		{9, 1, ""},
		{8, 0, ""},
		{7, 700, ""},
	} {
		var got string
		for _, d := range try[[]wire.DeliveryRecord](t)(s.AgentDeliveries(t.Context(), c.sector, c.ordinal)) {
			got += fmt.Sprintf("%s=%s", d.MessageID, d.State)
			if d.Action != "broadcast" || !d.Started.Equal(noon) {
				t.Errorf("incomplete: %+v", d)
			}
		}
		if got != c.want {
			t.Errorf("sector %d, ordinal %d: got %q, want %q", c.sector, c.ordinal, got, c.want)
		}
	}
	for _, ordinal := range []int{-1, wire.MaxOrdinal} {
		if _, err := s.AgentDeliveries(t.Context(), 7, ordinal); err == nil {
			t.Errorf("ordinal %d was taken", ordinal)
		}
	}
}

func TestTheLatestHundredDeliveries(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := newStory()
	for i := range maxDeliveries + 20 {
		id := fmt.Sprintf("op%d", i)
		y.tell(started(id, nil), delivered(id, 7, wire.Worked, bits(5)))
	}
	apply(t, s, y.batches...)
	got := try[[]wire.DeliveryRecord](t)(s.AgentDeliveries(t.Context(), 7, 5))
	if len(got) != maxDeliveries || got[0].MessageID != "msg-op119" || got[99].MessageID != "msg-op20" {
		t.Errorf("%d deliveries, from %s to %s", len(got), got[0].MessageID, got[len(got)-1].MessageID)
	}
}
