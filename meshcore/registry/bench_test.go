package registry_test

import (
	"fmt"
	"testing"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// mesh30k is the default mesh, everyone heard.
func mesh30k(b *testing.B) ([]*registry.Sector, *registry.Replica) {
	b.Helper()
	topo := registry.DefaultTopology("bench", 100, 10, 30)
	r := registry.NewReplica(&topo)
	var sectors []*registry.Sector
	for i, agents := range full(b, &topo) {
		s := registry.NewSector(i+1, &topo, 1)
		if err := s.Enrol(agents); err != nil {
			b.Fatal(err)
		}
		for a := range s.Clusters() {
			s.Beat(noon, fullBeat(s, a, 1))
		}
		for _, block := range s.Blocks(noon) {
			r.Apply(block)
		}
		sectors = append(sectors, s)
	}
	return sectors, r
}

func fullBeat(s *registry.Sector, a wire.Address, seq uint64) *wire.Heartbeat {
	hb := &wire.Heartbeat{Host: fmt.Sprintf("sim-%d", a.Sector), Cluster: a, Incarnation: 1, Seq: seq, HostRTTMS: 1}
	for r := range s.Rows(a) {
		hb.Agents = append(hb.Agents, wire.Beat{
			AgentID: r.AgentID, Incarnation: 1, ProcessingMS: float64((r.Ordinal*7919+int(seq)*104729)%1000) / 10, Samples: 100,
		})
	}
	return hb
}

func BenchmarkRead(b *testing.B) {
	sectors, r := mesh30k(b)
	v := r.View()
	var ids []string
	for _, s := range sectors {
		for row := range s.Rows(wire.Address{}) {
			ids = append(ids, row.AgentID)
		}
	}
	i := 0
	for b.Loop() {
		if v.Agent(ids[i*7919%len(ids)]) == nil {
			b.Fatal("not found")
		}
		i++
	}
}

func BenchmarkBest100(b *testing.B) {
	_, r := mesh30k(b)
	v := r.View()
	b.ReportAllocs()
	for b.Loop() {
		if len(v.Best("routing", 100, 0)) != 100 {
			b.Fatal("too few")
		}
	}
}

// BenchmarkCluster folds, publishes and applies the heartbeats of one cluster
// of 30; divide by 30 for one agent.
func BenchmarkCluster(b *testing.B) {
	sectors, r := mesh30k(b)
	a := wire.Address{Sector: 7, Cluster: 4}
	seq := uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		s, now := sectors[6], after(float64(seq))
		s.Beat(now, fullBeat(s, a, seq))
		for _, block := range s.Blocks(now) {
			r.Apply(block)
		}
	}
}

func BenchmarkStats(b *testing.B) {
	_, r := mesh30k(b)
	v := r.View()
	for b.Loop() {
		v.Stats()
	}
}

// BenchmarkView applies one block and makes a view.
func BenchmarkView(b *testing.B) {
	_, r := mesh30k(b)
	block := *r.View().Block(wire.Address{Sector: 7, Cluster: 4})
	b.ReportAllocs()
	for b.Loop() {
		block.Rev++
		r.Apply(&block)
		r.View()
	}
}

func BenchmarkTake30000(b *testing.B) {
	topo := registry.DefaultTopology("bench", 100, 10, 30)
	all := &wire.Join{Host: "fleet"}
	for _, c := range wire.Classes {
		all.Agents = append(all.Agents, wire.AgentSpec{Class: c, Count: c.Allocation()})
	}
	for b.Loop() {
		if _, err := registry.NewSeating(&topo).Take(all); err != nil {
			b.Fatal(err)
		}
	}
}
