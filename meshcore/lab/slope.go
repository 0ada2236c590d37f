package lab

import (
	"slices"

	"mesh30k/meshcore/wire"
)

// figures computes what a soak came to.
func (s *soak) figures(facts soakFacts) map[string]float64 {
	first, last := s.samples[0], s.samples[len(s.samples)-1]
	f := map[string]float64{
		"agents":             float64(s.Agents),
		"minutes":            last.at.Sub(first.at).Minutes(),
		"facts":              facts.until[len(facts.until)-1] - facts.until[0],
		"freezes":            float64(s.freezes),
		"broadcasts":         float64(s.broadcasts),
		"failed_actions":     float64(s.failures.Load()),
		"crashes":            float64(s.last.Crashes),
		"crash_facts":        float64(facts.kinds[wire.FactCrash]),
		"returns":            float64(s.last.Returns),
		"return_facts":       float64(facts.kinds[wire.FactReturn]),
		"missed_heartbeats":  float64(s.missed[1] - s.missed[0]),
		"core_cpu_percent":   CPUPercent(first.core, last.core),
		"fleet_cpu_percent":  CPUPercent(first.fleet, last.fleet),
		"crashes_per_minute": float64(s.last.Crashes-s.first.Crashes) / last.at.Sub(first.at).Minutes(),
	}
	var hours, millions []float64
	for i, x := range s.samples {
		hours = append(hours, x.at.Sub(first.at).Hours())
		millions = append(millions, facts.until[i]/1e6)
	}
	for _, g := range []struct {
		name string
		of   func(sample) float64
	}{
		{"rss_mb", func(x sample) float64 { return megabytes(x.core.RSS) }},
		{"fds", func(x sample) float64 { return float64(x.core.OpenFDs) }},
		{"threads", func(x sample) float64 { return float64(x.core.Threads) }},
		{"goroutines", func(x sample) float64 { return float64(x.goroutines) }},
		{"fleet_rss_mb", func(x sample) float64 { return megabytes(x.fleet.RSS) }},
		{"fleet_fds", func(x sample) float64 { return float64(x.fleet.OpenFDs) }},
		{"fleet_threads", func(x sample) float64 { return float64(x.fleet.Threads) }},
		{"disk_mb", func(x sample) float64 { return megabytes(x.disk) }},
	} {
		var values []float64
		for _, x := range s.samples {
			values = append(values, g.of(x))
		}
		f[g.name+"_start"], f[g.name+"_end"], f[g.name+"_max"] = values[0], values[len(values)-1], slices.Max(values)
		// The first half is left out of the slopes: heaps find their size in it,
		// rings of samples fill. What leaks goes on in the second.
		half := len(values) / 2
		if slope, ok := slope(hours[half:], values[half:]); ok {
			f[g.name+"_slope_per_hour"] = slope
		}
		if slope, ok := slope(millions[half:], values[half:]); ok {
			f[g.name+"_per_million_facts"] = slope
		}
	}
	return f
}

// slope is that of the line which fits points best by least squares; false if no
// line does, because there are not two different x.
func slope(x, y []float64) (float64, bool) {
	var mx, my, xx, xy float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(y))
	}
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if xx == 0 {
		return 0, false
	}
	return xy / xx, true
}
