package gather_test

import (
	"testing"

	"mesh30k/meshcore/gather"
	"mesh30k/meshcore/wire"
)

// BenchmarkSector takes the message of a sector of 300 from the first send to
// the last fact.
func BenchmarkSector(b *testing.B) {
	var all []int
	for n := range 300 {
		all = append(all, n)
	}
	d := order(all...)
	b.ReportAllocs()
	for b.Loop() {
		s := gather.NewSet(d, start)
		s.Sent(start, s.Due(start))
		s.Mark(at(0.1), wire.Received, d.Targets, "", false)
		s.Mark(at(0.2), wire.Worked, d.Targets, "", false)
		s.TakeFacts()
		if p := s.Progress(); !p.Settled || !s.Done() {
			b.Fatal("not settled")
		}
	}
}
