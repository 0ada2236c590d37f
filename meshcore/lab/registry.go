package lab

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"time"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// BenchRegistry measures the registry at each of the given numbers of agents
// (issue: 30,000, 100,000 and 300,000). The figures, with a suffix such as _30k:
//
//   - read_ns: one row found by its agent's id in a view of the mesh;
//   - topk_us: the 100 best agents of the mesh for a capability;
//   - ingest_ns: one agent's heartbeat, from the decoded message through the
//     sector's row and its block to a view of the whole mesh;
//   - bytes_per_agent: heap that seating, sectors, their last blocks, the
//     replica and a view hold together.
//
// The ratios: read_over_map compares read_ns with a plain Go map from id to row
// of the same agents in the same run, at the first size; the others compare the
// last size with the first, such as ingest_300k_to_30k. The error says that the
// registry gave a wrong answer, or that a size is out of range.
func BenchRegistry(sizes []int) (figures, ratios map[string]float64, err error) {
	figures, ratios = map[string]float64{}, map[string]float64{}
	for i, n := range sizes {
		if most := wire.MaxSectors * 300; n < 1 || n > most {
			return nil, nil, fmt.Errorf("bench registry: %d agents is out of range; try 1 to %d", n, most)
		}
		b, err := newRegistryBench(n)
		if err != nil {
			return nil, nil, fmt.Errorf("bench registry with %d agents: %w", n, err)
		}
		if err := b.measure(figures, "_"+thousands(n)); err != nil {
			return nil, nil, fmt.Errorf("bench registry with %d agents: %w", n, err)
		}
		if i == 0 {
			ratios["read_over_map"] = figures["read_ns_"+thousands(n)] / b.mapRead()
		}
	}
	if len(sizes) > 1 {
		first, last := thousands(sizes[0]), thousands(sizes[len(sizes)-1])
		for short, figure := range map[string]string{"read": "read_ns", "topk": "topk_us", "ingest": "ingest_ns", "bytes": "bytes_per_agent"} {
			ratios[short+"_"+last+"_to_"+first] = figures[figure+"_"+last] / figures[figure+"_"+first]
		}
	}
	return figures, ratios, nil
}

// thousands spells a size: 30k.
func thousands(n int) string {
	if n%1000 == 0 {
		return strconv.Itoa(n/1000) + "k"
	}
	return strconv.Itoa(n)
}

// registryBench is a registry that is full of agents, all of them heard.
type registryBench struct {
	agents  int
	seating *registry.Seating
	sectors []*registry.Sector
	replica *registry.Replica
	random  *rand.Rand
	now     time.Time
	round   uint64
	bytes   float64 // per agent
}

func newRegistryBench(agents int) (*registryBench, error) {
	before := heap()
	topo := registry.TopologyFor("bench", agents)
	b := &registryBench{
		agents: agents, seating: registry.NewSeating(&topo), replica: registry.NewReplica(&topo),
		random: rand.New(rand.NewPCG(30_000, 1)), now: time.Unix(1_800_000_000, 0),
	}
	for i := range topo.Sectors {
		s := registry.NewSector(i+1, &topo, 1)
		if err := b.fill(s, i+1, topo.Sectors[i]); err != nil {
			return nil, err
		}
		b.sectors = append(b.sectors, s)
	}
	if _, err := b.ingest(true); err != nil {
		return nil, err
	}
	b.replica.View()
	b.bytes = (heap() - before) / float64(agents)
	if got := b.replica.View().Stats().ActiveAgents; got != agents {
		return nil, fmt.Errorf("%d agents are active, all should be", got)
	}
	return b, nil
}

// heap is the number of bytes in use after a full collection.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// fill seats one host's agents in all seats of a sector; they come as the
// orchestrator's order does, spelled and read again.
func (b *registryBench) fill(s *registry.Sector, n int, plan wire.SectorPlan) error {
	join := &wire.Join{Mesh: "bench", Host: "bench-" + strconv.Itoa(n), Sector: n, Sim: true, Labels: map[string]string{"region": "eu"}}
	for _, class := range wire.Classes {
		count := 0
		for _, c := range plan.Clusters {
			count += c.Seats[class]
		}
		if count > 0 {
			join.Agents = append(join.Agents, wire.AgentSpec{Class: class, Count: count})
		}
	}
	agents, err := b.seating.Take(join)
	if err != nil {
		return err
	}
	var order wire.ShardOrder
	spelled := wire.Encode(&wire.ShardOrder{Header: wire.Head(wire.TypeShardOrder), ID: "fill", Enrol: &agents})
	if err := wire.Decode(spelled, wire.TypeShardOrder, &order); err != nil {
		return err
	}
	return s.Enrol(*order.Enrol)
}

// heartbeats are a round of new measurements of a sector.
func (b *registryBench) heartbeats(s *registry.Sector) (all []*wire.Heartbeat) {
	for place := range s.Clusters() {
		hb := &wire.Heartbeat{
			Header: wire.Head(wire.TypeHeartbeat), Host: "bench-" + strconv.Itoa(place.Sector), Cluster: place,
			Incarnation: 1, Seq: b.round, HostRTTMS: 1,
		}
		for r := range s.Rows(place) {
			hb.Agents = append(hb.Agents, wire.Beat{
				AgentID: r.AgentID, Incarnation: 1, Samples: 100, Reliability: 1, Drift: 0.1, ContextHash: "c0ffee",
				LatencyMS: b.random.Float64(), ProcessingMS: r.Class.BaseMS() * (0.5 + b.random.Float64()),
			})
		}
		all = append(all, hb)
	}
	return all
}

// ingest takes in a round of heartbeats and returns how long that took. Spelled
// sends the blocks through their wire form, as the mesh does: what that costs is
// the codec's, but what the replica then holds is the registry's.
func (b *registryBench) ingest(spelled bool) (took time.Duration, err error) {
	b.round++
	b.now = b.now.Add(5 * time.Second)
	for _, s := range b.sectors {
		round := b.heartbeats(s)
		began := time.Now()
		for _, hb := range round {
			s.Beat(b.now, hb)
		}
		for _, block := range s.Blocks(b.now) {
			if spelled {
				if block, err = respell(block); err != nil {
					return 0, err
				}
			}
			if !b.replica.Apply(block) {
				return 0, fmt.Errorf("a new block of %s was taken for old", block.Cluster)
			}
		}
		b.replica.View()
		took += time.Since(began)
	}
	return took, nil
}

func respell(b *wire.Block) (*wire.Block, error) {
	var out wire.Block
	return &out, wire.Decode(wire.Encode(b), wire.TypeBlock, &out)
}

// measure fills in the figures of this size.
func (b *registryBench) measure(figures map[string]float64, suffix string) error {
	figures["bytes_per_agent"+suffix] = b.bytes
	var ingests []float64
	for range benchRounds {
		runtime.GC()
		took, err := b.ingest(false)
		if err != nil {
			return err
		}
		ingests = append(ingests, float64(took.Nanoseconds())/float64(b.agents))
	}
	figures["ingest_ns"+suffix] = median(ingests)
	read, err := b.read()
	if err != nil {
		return err
	}
	figures["read_ns"+suffix] = read
	figures["topk_us"+suffix], err = b.topK()
	return err
}

// benchRounds is how often each figure is taken; the median counts.
const benchRounds = 5

// ids are all agents' ids, shuffled: the memory behind them is not warm by
// their order.
func (b *registryBench) ids() (ids []string) {
	for r := range b.replica.View().Select(wire.Selector{}) {
		ids = append(ids, r.AgentID)
	}
	b.random.Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	return ids
}

func (b *registryBench) read() (ns float64, err error) {
	v, ids := b.replica.View(), b.ids()
	return perCall(len(ids), func(i int) error {
		if r := v.Agent(ids[i]); r == nil || r.AgentID != ids[i] {
			return fmt.Errorf("agent %s was not found", ids[i])
		}
		return nil
	})
}

// mapRead is what [registryBench.read] takes with a plain map.
func (b *registryBench) mapRead() float64 {
	rows := make(map[string]*wire.AgentImpedance, b.agents)
	for r := range b.replica.View().Select(wire.Selector{}) {
		rows[r.AgentID] = r
	}
	ids := b.ids()
	ns, _ := perCall(len(ids), func(i int) error {
		if r := rows[ids[i]]; r == nil || r.AgentID != ids[i] {
			return fmt.Errorf("agent %s was not found", ids[i])
		}
		return nil
	})
	return ns
}

func (b *registryBench) topK() (us float64, err error) {
	v, capability := b.replica.View(), wire.ClassEdge.Capabilities()[0]
	have := 0
	for r := range v.Select(wire.Selector{}) {
		if r.State == wire.Active && slices.Contains(r.Capabilities, capability) {
			have++
		}
	}
	ns, err := perCall(500, func(int) error {
		if got := len(v.Best(capability, 100, 0)); got != min(100, have) {
			return fmt.Errorf("the best 100 are %d of %d", got, have)
		}
		return nil
	})
	return ns / 1000, err
}

// perCall is the median of several rounds' mean ns of a call.
func perCall(calls int, call func(i int) error) (ns float64, err error) {
	var rounds []float64
	for range benchRounds {
		began := time.Now()
		for i := range calls {
			if err := call(i); err != nil {
				return 0, err
			}
		}
		rounds = append(rounds, float64(time.Since(began).Nanoseconds())/float64(calls))
	}
	return median(rounds), nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
