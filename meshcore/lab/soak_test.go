package lab

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore/wire"
)

func TestASlopeIsThatOfTheLine(t *testing.T) {
	for name, c := range map[string]struct {
		x, y []float64
		want float64
		ok   bool
	}{
		"a line":           {[]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}, 2, true},
		"level":            {[]float64{0, 1, 2}, []float64{4, 4, 4}, 0, true},
		"falling":          {[]float64{10, 20}, []float64{1, -1}, -0.2, true},
		"noise is evened":  {[]float64{0, 1, 2, 3}, []float64{1, -1, 1, -1}, -0.4, true},
		"one instant":      {[]float64{2, 2}, []float64{1, 5}, 0, false},
		"nothing measured": {nil, nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := slope(c.x, c.y); ok != c.ok || math.Abs(got-c.want) > 1e-9 {
				t.Errorf("slope %v, %v; want %v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

// TestASoakSeesWhatLeaks: the core gains a descriptor each 10 s and 1 MB each
// 1,000 facts, after a first half in which its heap has grown and settled.
func TestASoakSeesWhatLeaks(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	s := &soak{Mesh: &Mesh{Agents: 10}, last: fleet.Counters{Crashes: 9}}
	facts := soakFacts{kinds: map[wire.FactKind]uint64{wire.FactCrash: 9}}
	for i := range 20 {
		at := noon.Add(time.Duration(i) * 10 * time.Second)
		warm := int64(min(i, 10)) * 50
		s.samples = append(s.samples, sample{
			at: at, goroutines: 300, disk: 7 << 20,
			core:  Usage{RSS: (100 + warm + int64(i)) << 20, OpenFDs: 40 + i, Threads: 9, Measured: at},
			fleet: Usage{RSS: 30 << 20, OpenFDs: 120, Measured: at},
		})
		facts.until = append(facts.until, float64(500+1000*i))
	}
	f := s.figures(facts)
	for name, want := range map[string]float64{
		"facts": 19_000, "rss_mb_start": 100, "rss_mb_end": 619, "rss_mb_max": 619,
		"rss_mb_per_million_facts": 1000, "fds_slope_per_hour": 360, "goroutines_slope_per_hour": 0,
		"disk_mb_per_million_facts": 0, "crashes": 9, "crash_facts": 9,
	} {
		if got, ok := f[name]; !ok || math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestTheDiskThatIsUsedIsCounted(t *testing.T) {
	dir := t.TempDir()
	before, err := diskUsed(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "facts"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if after, err := diskUsed(dir); err != nil || after-before < 1<<20 {
		t.Errorf("a megabyte more takes %d bytes more (%v)", after-before, err)
	}
}
