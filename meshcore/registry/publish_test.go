package registry_test

import (
	"reflect"
	"slices"
	"testing"

	"mesh30k/meshcore/wire"
)

func TestABlockIsPublishedWhenItChangedAndOnceASecondAtMost(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), pi("pi-2", "1.2.1", 1))
	if got := len(s.Blocks(noon)); got != 2 {
		t.Fatalf("enrolment: %d blocks, want 2", got)
	}
	s.Beat(after(0.2), beatOf("1.4", "pi-1"))
	if got := s.Blocks(after(0.9)); got != nil {
		t.Fatalf("within a second: %d blocks", len(got))
	}
	blocks := s.Blocks(after(1))
	if len(blocks) != 1 || blocks[0].Cluster != place("1.4") || blocks[0].Rev != 2 || blocks[0].Epoch != 1 {
		t.Fatalf("got %+v", blocks)
	}
	if err := wire.Decode(wire.Encode(blocks[0]), wire.TypeBlock, &wire.Block{}); err != nil {
		t.Errorf("the block is no message: %v", err)
	}
	if got := s.Blocks(after(10)); got != nil {
		t.Fatalf("nothing changed: %d blocks", len(got))
	}
	s.Beat(after(11), beatOf("1.4", "pi-1")) // the same figures, heard again
	if got := s.Blocks(after(11)); len(got) != 1 || !got[0].Rows[0].LastHeartbeat.Equal(after(11)) {
		t.Fatalf("heard again: got %+v", got)
	}
}

func TestAPublishedBlockNeverChanges(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0), pi("pi-3", "1.4.3", 1))
	s.Beat(noon, beatOf("1.4", "pi-1", "pi-3"))
	block := s.Blocks(noon)[0]
	before := slices.Clone(block.Rows)

	steps := []struct {
		name string
		do   func()
	}{
		{"heartbeat", func() { s.Beat(after(5), beatOf("1.4", "pi-1")) }},
		{"newcomer between", func() { _ = s.Enrol([]wire.Enrolled{pi("pi-2", "1.4.2", 2)}) }},
		{"newcomer behind", func() { _ = s.Enrol([]wire.Enrolled{pi("pi-4", "1.4.4", 4)}) }},
		{"replacement", func() { _ = s.Enrol([]wire.Enrolled{pi("pi-5", "1.4.1", 5)}) }},
		{"offline", func() { s.MarkOffline("pi-3") }},
		{"silence", func() { s.Expire(after(500), 30) }},
	}
	for _, step := range steps {
		s.AllBlocks(noon) // so that the rows are shared anew
		step.do()
		if !reflect.DeepEqual(before, block.Rows) {
			t.Fatalf("%s changed a published block", step.name)
		}
	}
}

func TestAllBlocksDoNotTakeAwayWhatOthersWaitFor(t *testing.T) {
	s := sectorOf(t, pi("pi-1", "1.4.1", 0))
	first := s.AllBlocks(noon)
	second := s.Blocks(noon)
	if len(first) != 1 || len(second) != 1 || second[0].Rev <= first[0].Rev {
		t.Fatalf("got %d and %d blocks", len(first), len(second))
	}
	third := s.AllBlocks(after(1))
	if third[0].Rev != second[0].Rev {
		t.Errorf("nothing changed, but rev rose from %d to %d", second[0].Rev, third[0].Rev)
	}
	s.Beat(after(2), beatOf("1.4", "pi-1"))
	if fourth := s.AllBlocks(after(2)); fourth[0].Rev <= third[0].Rev {
		t.Errorf("other rows under the same rev %d", fourth[0].Rev)
	}
}
