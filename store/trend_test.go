package store

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

func row(at time.Time, c wire.Address, agents, measured int, mean float64) wire.TrendRow {
	return wire.TrendRow{Minute: at, Cluster: c, Agents: agents, Active: agents - 1, Offline: 1, Measured: measured, MeanMS: mean, P95MS: 2 * mean}
}

func TestTrendsOfAMinute(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	ctx := t.Context()
	full := wire.TrendRow{Minute: noon, Cluster: cluster(7, 4), Agents: 30, Active: 20, Degraded: 3, Unstable: 4, Offline: 5, Quarantined: 6, Frozen: 7, Queue: 8000, MeanMS: 127.25, P95MS: 300.5, Measured: 19}
	must(t, s.WriteTrends(ctx, []wire.TrendRow{row(noon, cluster(9, 1), 30, 30, 10), full}))
	got := try[[]wire.TrendRow](t)(s.TrendsAt(ctx, noon.Add(59*time.Second)))
	if len(got) != 2 || got[0] != full || got[1].Cluster != cluster(9, 1) {
		t.Errorf("got %+v", got)
	}
}

func TestWritingAMinuteAgainReplacesIt(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	for _, agents := range []int{30, 31} {
		must(t, s.WriteTrends(t.Context(), []wire.TrendRow{row(noon, cluster(7, 4), agents, 10, 5)}))
	}
	if got := try[[]wire.TrendRow](t)(s.TrendsAt(t.Context(), noon)); len(got) != 1 || got[0].Agents != 31 {
		t.Errorf("got %+v", got)
	}
}

func TestOutsideTheHorizonNothingIsKnown(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	ctx := t.Context()
	_, err := s.TrendsAt(ctx, noon)
	if codeOf(err) != wire.CodeNothingMatched || !strings.Contains(err.Error(), "no trends yet") {
		t.Errorf("without trends: %v", err)
	}
	must(t, s.WriteTrends(ctx, []wire.TrendRow{row(noon, cluster(7, 4), 30, 10, 5), row(noon.Add(2*time.Minute), cluster(7, 4), 30, 10, 5)}))
	for _, at := range []time.Time{noon.Add(-time.Second), noon.Add(time.Minute), noon.Add(3 * time.Minute), {}} {
		_, err := s.TrendsAt(ctx, at)
		if codeOf(err) != wire.CodeNothingMatched || !strings.Contains(err.Error(), "from 2026-05-01T12:00:00Z to 2026-05-01T12:03:00Z") {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestATrendIsSummedUpAndItsMeanWeighted(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	ctx := t.Context()
	later := noon.Add(time.Minute)
	must(t, s.WriteTrends(ctx, []wire.TrendRow{
		row(noon, cluster(7, 4), 30, 10, 100), row(noon, cluster(7, 5), 20, 30, 200), row(noon, cluster(9, 1), 10, 0, 0),
		row(later, cluster(7, 4), 31, 10, 300),
	}))
	for name, c := range map[string]struct {
		place        wire.Address
		since, until time.Time
		minutes      int
		agents       int
		mean         float64
	}{
		"a cluster":              {cluster(7, 4), time.Time{}, time.Time{}, 2, 30, 100},
		"a sector":               {wire.Address{Sector: 7}, time.Time{}, time.Time{}, 2, 50, 175},
		"the mesh":               {wire.Address{}, time.Time{}, time.Time{}, 2, 60, 175},
		"nobody measured":        {cluster(9, 1), time.Time{}, time.Time{}, 1, 10, 0},
		"until is not in":        {wire.Address{}, noon, later, 1, 60, 175},
		"since the second":       {wire.Address{}, later, time.Time{}, 1, 31, 300},
		"a place without trends": {cluster(1, 1), time.Time{}, time.Time{}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := try[[]wire.TrendRow](t)(s.Trend(ctx, c.place, c.since, c.until))
			if len(got) != c.minutes {
				t.Fatalf("got %+v, want %d rows", got, c.minutes)
			}
			if len(got) > 0 && (got[0].Agents != c.agents || got[0].MeanMS != c.mean || got[0].P95MS != 2*c.mean || got[0].Cluster != c.place) {
				t.Errorf("got %+v, want %d agents, mean %v", got[0], c.agents, c.mean)
			}
		})
	}
	if _, err := s.Trend(ctx, seat(7, 4, 1), noon, later); codeOf(err).Verdict() != wire.Usage {
		t.Errorf("trend of an agent: %v", err)
	}
}

func TestTrendsThatCannotBeAreRefused(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	for name, r := range map[string]wire.TrendRow{
		"of a sector":    row(noon, wire.Address{Sector: 7}, 1, 1, 1),
		"not a number":   row(noon, cluster(7, 4), 1, 1, math.NaN()),
		"infinite":       row(noon, cluster(7, 4), 1, 1, math.Inf(1)),
		"negative":       row(noon, cluster(7, 4), 1, -1, 1),
		"too many":       row(noon, cluster(7, 4), 1, maxMeasured+1, 1),
		"without minute": row(time.Time{}, cluster(7, 4), 1, 1, 1),
	} {
		if err := s.WriteTrends(t.Context(), []wire.TrendRow{row(noon, cluster(7, 5), 1, 1, 1), r}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if got := try[[]wire.TrendRow](t)(s.Trend(t.Context(), wire.Address{}, time.Time{}, time.Time{})); len(got) != 0 {
		t.Errorf("half of a refused write is there: %+v", got)
	}
}

func TestAbsurdMeansDoNotOverflow(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	ctx := t.Context()
	var rows []wire.TrendRow
	for n := range 60 {
		for c := range 100 {
			rows = append(rows, row(noon.Add(time.Duration(n)*time.Minute), cluster(7, c+1), 30, maxMeasured, 1e300))
		}
	}
	must(t, s.WriteTrends(ctx, rows))
	must(t, s.Thin(ctx, noon.AddDate(0, 2, 0)))
	got := try[[]wire.TrendRow](t)(s.Trend(ctx, wire.Address{}, time.Time{}, time.Time{}))
	if len(got) != 1 || got[0].MeanMS != maxTrendMS || got[0].Agents != 3000 {
		t.Errorf("got %+v", got)
	}
}

func TestThinningByAge(t *testing.T) {
	thinning := Thinning{Minutes: time.Hour, TenMinutes: 5 * time.Hour, Hours: 10 * time.Hour}
	s := opened(t, t.TempDir(), Options{Thinning: thinning})
	ctx := t.Context()
	var rows []wire.TrendRow
	for m := range 12 * 60 {
		rows = append(rows, row(noon.Add(time.Duration(m)*time.Minute), cluster(7, 4), 30, 10, float64(m)))
	}
	must(t, s.WriteTrends(ctx, rows))
	now := noon.Add(12 * time.Hour)
	must(t, s.Thin(ctx, now))
	steps := map[time.Duration]int{}
	got := try[[]wire.TrendRow](t)(s.Trend(ctx, cluster(7, 4), time.Time{}, time.Time{}))
	for i, r := range got[1:] {
		steps[r.Minute.Sub(got[i].Minute)]++
		if r.Agents != 30 {
			t.Errorf("%v: %d agents: a thinned count is a mean, not a sum", r.Minute, r.Agents)
		}
	}
	// 10 h back to 5 h by hours, 5 h to 1 h by ten minutes, the last hour by minutes.
	if want := map[time.Duration]int{time.Hour: 5, 10 * time.Minute: 24, time.Minute: 59}; len(steps) != 3 ||
		steps[time.Hour] != want[time.Hour] || steps[10*time.Minute] != want[10*time.Minute] || steps[time.Minute] != want[time.Minute] {
		t.Errorf("steps %v, want %v", steps, want)
	}
	since, until, err := s.Horizon(ctx)
	if must(t, err); !since.Equal(now.Add(-10*time.Hour)) || !until.Equal(now) {
		t.Errorf("horizon %v to %v", since, until)
	}
	if hour := got[0]; hour.MeanMS != 149.5 { // of minutes 120 to 179
		t.Errorf("mean of the first hour is %v, want 149.5", hour.MeanMS)
	}
	at := try[[]wire.TrendRow](t)(s.TrendsAt(ctx, now.Add(-9*time.Hour-30*time.Minute)))
	if len(at) != 1 || !at[0].Minute.Equal(now.Add(-10*time.Hour)) {
		t.Errorf("the hour that holds half past: %+v", at)
	}
	if err := s.WriteTrends(ctx, rows[60*8:60*8+1]); err == nil || !strings.Contains(err.Error(), "thinned") {
		t.Errorf("a row that came too late: %v", err)
	}
}

// Thinned at whatever times, once or bit by bit, means are those of the
// minutes, weighted by the agents measured, exactly.
func TestThinningKeepsWeightedMeans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "store") //nolint:usetesting // one for each draw, not for all of them
		must(t, err)
		defer os.RemoveAll(dir)
		s := open(t, dir, Options{Thinning: Thinning{Minutes: 30 * time.Minute, TenMinutes: 2 * time.Hour, Hours: 1000 * time.Hour}})
		defer s.Close()
		ctx := context.Background()
		type sums struct{ measured, us int64 }
		want := map[time.Time]sums{} // by hour
		for range rapid.IntRange(1, 40).Draw(t, "rows") {
			at := noon.Add(time.Duration(rapid.IntRange(0, 179).Draw(t, "minute")) * time.Minute)
			r := row(at, cluster(7, 4), 30, rapid.IntRange(0, 100).Draw(t, "measured"), rapid.Float64Range(0, 1e6).Draw(t, "mean"))
			hour := at.Truncate(time.Hour)
			before := try[[]wire.TrendRow](t)(s.Trend(ctx, cluster(7, 4), at, at.Add(time.Minute)))
			if len(before) > 0 {
				continue // one row a minute
			}
			must(t, s.WriteTrends(ctx, []wire.TrendRow{r}))
			sum := want[hour]
			want[hour] = sums{sum.measured + int64(r.Measured), sum.us + weigh(r.MeanMS, r.Measured)}
		}
		for now := noon.Add(180 * time.Minute); now.Before(noon.Add(400 * time.Minute)); {
			must(t, s.Thin(ctx, now))
			now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "later")) * time.Minute)
		}
		must(t, s.Thin(ctx, noon.Add(400*time.Minute)))
		got := try[[]wire.TrendRow](t)(s.Trend(ctx, cluster(7, 4), time.Time{}, time.Time{}))
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d hours", len(got), len(want))
		}
		for _, r := range got {
			sum := want[r.Minute]
			mean := 0.0
			if sum.measured > 0 {
				mean = float64(sum.us) / 1000 / float64(sum.measured)
			}
			if r.MeanMS != mean || r.Agents != 30 {
				t.Fatalf("hour %v: mean %v, want %v; %d agents", r.Minute, r.MeanMS, mean, r.Agents)
			}
		}
	})
}
