package agentd

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTimersRingInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var heap timers
		var model []int64
		for _, x := range rapid.SliceOf(rapid.Int64Range(0, 50)).Draw(t, "times") {
			if x%5 == 0 && len(model) > 0 {
				slices.Sort(model)
				if got := heap.pop().at.Unix(); got != model[0] {
					t.Fatalf("rang %d, want %d", got, model[0])
				}
				model = model[1:]
				continue
			}
			heap.push(timer{at: time.Unix(x, 0)})
			model = append(model, x)
		}
		slices.Sort(model)
		for _, want := range model {
			if at, ok := heap.next(); !ok || at.Unix() != want || heap.pop().at.Unix() != want {
				t.Fatalf("next %v, want %d", at, want)
			}
		}
	})
}
