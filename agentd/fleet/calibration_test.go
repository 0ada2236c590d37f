package fleet

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// The defaults claim to look like published traces. This test holds them to
// it: MESH30K_TRACES names a folder with STATS.csv, figures computed from the
// traces (its columns: file, metric, n, mean, p50, p95, p99, max, cv,
// lag1_autocorr, hill_alpha_top5pct, note).
func TestTheDefaultsLookLikeTheTracesTheyName(t *testing.T) {
	dir := os.Getenv("MESH30K_TRACES")
	if dir == "" {
		t.Skip("MESH30K_TRACES is not set: no traces to compare with; it names a folder with STATS.csv")
	}
	stats := readStats(t, filepath.Join(dir, "STATS.csv"))
	for _, c := range claims {
		t.Run(c.what, func(t *testing.T) {
			want := c.want(t, stats)
			got := c.made()
			t.Logf("generated %.4g, trace %.4g", got, want)
			if math.Abs(got-want) > c.within*want {
				t.Errorf("%s: generated %.4g, the trace has %.4g; want within %.0f %%", c.what, got, want, 100*c.within)
			}
		})
	}
}

// claim is one figure of a trace that the defaults claim to reproduce.
type claim struct {
	what   string
	want   func(*testing.T, traceStats) float64
	made   func() float64
	within float64 // share of want
}

var claims = []claim{
	{
		"C round trips: CV of an agent, atlas", column("rtt_atlas_4min", "per-probe medians", "cv"),
		func() float64 { return medianOver(wire.ClassPersistent, 40, cvOfProbe) }, 0.3,
	},
	{
		"D round trips: CV of an agent, atlas", column("rtt_atlas_4min", "per-probe medians", "cv"),
		func() float64 { return medianOver(wire.ClassGPU, 40, cvOfProbe) }, 0.3,
	},
	{
		"C round trips: lag-1 autocorrelation, atlas", column("rtt_atlas_4min", "per-probe medians", "lag1_autocorr"),
		func() float64 { return medianOver(wire.ClassPersistent, 40, lag1OfProbe) }, 0.12,
	},
	{
		"B round trips: CV of 18 in a row, planetlab", noted("rtt_planetlab_slices", "rtt_ms", `per-pair CV over 18 slices ([0-9.]+)`),
		func() float64 { return medianOver(wire.ClassServerless, 400, cvOfRTT(18, 5*time.Second)) }, 0.3,
	},
	{
		"E round trips: CV of an agent, seattle", noted("rtt_seattle", "rtt_ms", `median per-pair CV ([0-9.]+)`),
		func() float64 { return medianOver(wire.ClassLocal, 200, cvOfRTT(688, 4*time.Minute)) }, 0.35,
	},
	{
		"E round trips: p99/p50 of an agent, seattle", noted("rtt_seattle", "rtt_ms", `p99/p50 ([0-9.]+)`),
		func() float64 { return medianOver(wire.ClassLocal, 200, p99OfRTT) }, 0.35,
	},
	{
		"A service: CV, azure-vm", column("vm_noise", "launch_us B8ms", "cv"),
		func() float64 { return cv(service(bodyOnly(wire.ClassEdge), 20_000)) }, 0.1,
	},
	{
		"E service: CV, azure-vm", column("vm_noise", "launch_us B8ms", "cv"),
		func() float64 { return cv(service(bodyOnly(wire.ClassLocal), 20_000)) }, 0.1,
	},
	{
		"B service: p99/p50, azure-faas", column("faas_azure2019_durations", "p99/p50 ratio (count>=100)", "p50"),
		func() float64 { s := service(agentOf(wire.ClassServerless, 1), 200_000); return ratio(s, 0.99) }, 0.25,
	},
	{
		"B own work: index of dispersion a minute, azure-faas", column("faas_azure2019_invocations", "per-minute index of dispersion", "p50"),
		func() float64 { return dispersion(agentOf(wire.ClassServerless, 1), 50_000) }, 0.2,
	},
	{
		"C own work: CV of inter-arrivals, servegen", noted("llm_servegen_clients", "mean_rps m-small", `inter-arrival CV ([0-9.]+)`),
		func() float64 { gaps, _ := ownWork(agentOf(wire.ClassPersistent, 1), 100_000); return cv(gaps) }, 0.1,
	},
	{
		"C service: tail index, agentcgroup tool calls", column("agent_steps", "tool_s all", "hill_alpha_top5pct"),
		func() float64 { return hill(service(agentOf(wire.ClassPersistent, 1), 1_000_000), 0.002) }, 0.2,
	},
	{
		"D service: tail index, agentcgroup LLM steps", column("agent_steps", "llm_s GLM-4.7-Flash-GGUF:Q4_K_M", "hill_alpha_top5pct"),
		func() float64 { return hill(service(tailOnly(wire.ClassGPU), 1_000_000), 0.005) }, 0.2,
	},
	{
		"C own work: CV of weights, agentcgroup tool calls", column("agent_steps", "tool_s all", "cv"),
		func() float64 { _, w := ownWork(agentOf(wire.ClassPersistent, 1), 500_000); return cv(w) }, 0.25,
	},
	{
		"D own work: CV of weights, azure-llm prompts", column("llm_azure2023_code", "prompt_tok", "cv"),
		func() float64 { _, w := ownWork(agentOf(wire.ClassGPU, 1), 200_000); return cv(w) }, 0.15,
	},
	{
		"D service: CV, llmperf", column("llm_api_latency", "e2e_s fireworks", "cv"),
		func() float64 { return cv(service(bodyOnly(wire.ClassGPU), 20_000)) }, 0.2,
	},
	{"down times: p95/p50, lanl", ratioOf("churn_lanl", "down_min", "p95"), func() float64 { return ratio(downTimes(200_000), 0.95) }, 0.2},
	{"down times: p99/p50, lanl", ratioOf("churn_lanl", "down_min", "p99"), func() float64 { return ratio(downTimes(200_000), 0.99) }, 0.25},
}

// What the generator makes.

func cvOfRTT(n int, every time.Duration) func(*Agent) float64 {
	return func(a *Agent) float64 { return cv(roundTrips(a, n, every)) }
}

func p99OfRTT(a *Agent) float64 { return ratio(roundTrips(a, 688, 4*time.Minute), 0.99) }

// A probe of Atlas keeps the shortest of a few pings, so that it never sees a
// retransmission: what it says about the path is compared without them.

func cvOfProbe(a *Agent) float64 { return cv(probe(a)) }

func probe(a *Agent) []float64 {
	without := *a.model
	without.own.Network.Retransmit = 0
	a.model = &without
	return roundTrips(a, 5000, 4*time.Minute)
}

func lag1OfProbe(a *Agent) float64 {
	x := probe(a)
	m := mean(x)
	num, den := 0.0, 0.0
	for i := range x {
		den += (x[i] - m) * (x[i] - m)
		if i > 0 {
			num += (x[i] - m) * (x[i-1] - m)
		}
	}
	return num / den
}

// bodyOnly is an agent whose service times have neither tail nor regime.
func bodyOnly(c wire.Class) *Agent {
	p := Default()
	s := &p.Classes.Of(c).Service
	s.Tail.Probability, s.Regime.PerDay, s.Cold = 0, 0, Cold{}
	return NewAgent(NewModel(&p, c, 1), 1, "body")
}

// tailOnly is an agent whose service times vary by their tail alone: a light
// tail's index shows only where the body does not blur it.
func tailOnly(c wire.Class) *Agent {
	p := Default()
	s := &p.Classes.Of(c).Service
	s.BodyCV, s.Regime.PerDay = 0, 0
	return NewAgent(NewModel(&p, c, 1), 1, "tail")
}

// dispersion is variance over mean of the number of own tasks a minute.
func dispersion(a *Agent, n int) float64 {
	counts := map[int64]float64{}
	now, last := epoch, int64(0)
	for range n {
		now, _ = a.NextOwn(now)
		last = int64(now.Sub(epoch) / time.Minute)
		counts[last]++
	}
	x := make([]float64, last)
	for i := range x {
		x[i] = counts[int64(i)]
	}
	return cv(x) * cv(x) * mean(x)
}

func downTimes(n int) []float64 {
	p := Default()
	p.Churn.CrashesPerMin = 1
	a := NewAgent(NewModel(&p, wire.ClassEdge, 1), 1, "down")
	x := make([]float64, n)
	for i := range x {
		_, away := a.NextCrash(epoch)
		x[i] = away.Seconds()
	}
	return x
}

// Statistics.

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func cv(x []float64) float64 {
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return math.Sqrt(sum/float64(len(x))) / m
}

func quantile(x []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func median(x []float64) float64 { return quantile(x, 0.5) }

// ratio is the q-quantile over the median.
func ratio(x []float64, q float64) float64 { return quantile(x, q) / median(x) }

// hill estimates the tail index from the top share of x.
func hill(x []float64, top float64) float64 {
	s := slices.Sorted(slices.Values(x))
	k := int(top * float64(len(s)))
	floor, sum := math.Log(s[len(s)-k-1]), 0.0
	for _, v := range s[len(s)-k:] {
		sum += math.Log(v) - floor
	}
	return float64(k) / sum
}

// medianOver is the median of a figure over many agents of a class.
func medianOver(c wire.Class, agents int, figure func(*Agent) float64) float64 {
	x := make([]float64, agents)
	for i := range x {
		x[i] = figure(agentOf(c, i))
	}
	return median(x)
}

// service draws n service times, ms, of standard payloads, one a second.
func service(a *Agent, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		d, _ := a.Serve(epoch.Add(time.Duration(i)*time.Second), agentd.Work{Weight: 1}, 0)
		x[i] = float64(d) / 1e6
	}
	return x
}

// Reading STATS.csv.

type traceStats map[[2]string]map[string]string

func readStats(t *testing.T, name string) traceStats {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatalf("reading figures of the traces: %v; MESH30K_TRACES must name the folder that holds STATS.csv", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	stats := traceStats{}
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, v := range row {
			m[rows[0][i]] = v
		}
		stats[[2]string{m["file"], m["metric"]}] = m
	}
	return stats
}

func column(file, metric, name string) func(*testing.T, traceStats) float64 {
	return func(t *testing.T, s traceStats) float64 { return number(t, s[[2]string{file, metric}][name]) }
}

func ratioOf(file, metric, name string) func(*testing.T, traceStats) float64 {
	return func(t *testing.T, s traceStats) float64 {
		row := s[[2]string{file, metric}]
		return number(t, row[name]) / number(t, row["p50"])
	}
}

// noted reads a figure that stands in the note of a row.
func noted(file, metric, pattern string) func(*testing.T, traceStats) float64 {
	return func(t *testing.T, s traceStats) float64 {
		m := regexp.MustCompile(pattern).FindStringSubmatch(s[[2]string{file, metric}]["note"])
		if m == nil {
			t.Fatalf("%s, %s: the note says nothing like %q", file, metric, pattern)
		}
		return number(t, m[1])
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatalf("STATS.csv: %q is no number: the row or column that is claimed is missing", s)
	}
	return v
}
