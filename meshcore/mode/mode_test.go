package mode_test

import (
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/mode"
)

func TestModeChangesExactlyAtTheThresholds(t *testing.T) {
	for _, c := range []struct {
		active, total int
		want          string
		restrictions  int
	}{
		{30_000, 30_000, mode.Full, 0},
		{28_500, 30_000, mode.Full, 0}, // 0.95
		{28_499, 30_000, mode.DegradedLight, 2},
		{24_000, 30_000, mode.DegradedLight, 2}, // 0.80
		{23_999, 30_000, mode.DegradedModerate, 3},
		{18_000, 30_000, mode.DegradedModerate, 3}, // 0.60
		{17_999, 30_000, mode.DegradedSevere, 3},
		{9_000, 30_000, mode.DegradedSevere, 3}, // 0.30
		{8_999, 30_000, mode.Emergency, 4},
		{0, 30_000, mode.Emergency, 4},
		{1, 1, mode.Full, 0},
		{0, 1, mode.Emergency, 4},
		{19, 20, mode.Full, 0},
		{3, 10, mode.DegradedSevere, 3},
	} {
		m, ok := mode.Of(c.active, c.total)
		if !ok || m.Name != c.want || len(m.Restrictions) != c.restrictions {
			t.Errorf("%d of %d: got %s with %d restrictions (%v), want %s with %d",
				c.active, c.total, m.Name, len(m.Restrictions), ok, c.want, c.restrictions)
		}
		if m.Description == "" {
			t.Errorf("%s has no description", m.Name)
		}
	}
}

func TestAMeshWithoutAgentsHasNoMode(t *testing.T) {
	for _, total := range []int{0, -1} {
		if m, ok := mode.Of(0, total); ok || m.Name != "" {
			t.Errorf("total %d: got mode %q, want none", total, m.Name)
		}
	}
}

func TestMoreActiveAgentsNeverMakeTheModeWorse(t *testing.T) {
	rank := map[string]int{mode.Full: 0, mode.DegradedLight: 1, mode.DegradedModerate: 2, mode.DegradedSevere: 3, mode.Emergency: 4}
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 300_000).Draw(t, "total")
		active := rapid.IntRange(0, total-1).Draw(t, "active")
		less, _ := mode.Of(active, total)
		more, _ := mode.Of(active+1, total)
		if rank[more.Name] > rank[less.Name] {
			t.Fatalf("%d of %d is %s, one more is %s", active, total, less.Name, more.Name)
		}
	})
}
