package meshcore

import (
	"context"
	"testing"

	"mesh30k/meshcore/wire"
)

func BenchmarkAppendOne(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	for b.Loop() {
		mustAppend(b, l, logFact("agent crashed"))
	}
}

// Each iteration is one fact of one of 256 callers.
func BenchmarkAppendGrouped(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(context.Background(), logFact("agent crashed")); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// Each iteration is one Append of 1,000 facts.
func BenchmarkAppendThousand(b *testing.B) {
	l := newTestLedger(b, LedgerOptions{})
	facts := make([]wire.Fact, 1000)
	for i := range facts {
		facts[i] = logFact("agent crashed")
	}
	for b.Loop() {
		mustAppend(b, l, facts...)
	}
}
