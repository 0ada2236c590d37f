package registry

import (
	"math"
	"testing"

	"mesh30k/meshcore/wire"
)

// The figures are those of Python 3.11's statistics.quantiles(v, n=20)[18].
func TestP95IsPythonsExclusiveQuantile(t *testing.T) {
	upTo := func(n int, f func(float64) float64) (v []float64) {
		for i := n; i >= 1; i-- { // unsorted on purpose
			v = append(v, f(float64(i)))
		}
		return v
	}
	same := func(x float64) float64 { return x }
	square := func(x float64) float64 { return x * x }
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"one", []float64{7}, 7},
		{"two", []float64{10, 5}, 14.25},
		{"two, far apart", []float64{10, 1000}, 1841.5},
		{"three", upTo(3, same), 3.8},
		{"nineteen", upTo(19, same), 19},
		{"a cluster", upTo(30, same), 29.45},
		{"a skewed cluster", upTo(30, square), 867.55},
		{"a hundred", upTo(100, same), 95.95},
	} {
		if got := p95(c.values); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMeasurementsDoNotEndAQuarantine(t *testing.T) {
	r := wire.AgentImpedance{Class: wire.ClassEdge, State: wire.Quarantined, ProcessingMS: 1}
	if derive(&r); r.State != wire.Quarantined || r.ImpedanceMS != 1 {
		t.Errorf("got %s, %v ms", r.State, r.ImpedanceMS)
	}
}
