package registry_test

import (
	"fmt"
	"testing"
	"time"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// noon is when the stories of these tests begin.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// after is noon and so many seconds.
func after(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// smallMesh has 2 sectors of 5 clusters of 6 seats.
func smallMesh() *wire.Topology {
	t := registry.DefaultTopology("test", 2, 5, 6)
	return &t
}

// place reads an address.
func place(s string) wire.Address {
	a, err := wire.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}

// pi is an agent of class E on host pi.
func pi(id, seat string, ordinal int) wire.Enrolled {
	return wire.Enrolled{
		AgentID: id, Class: wire.ClassLocal, Address: place(seat), Ordinal: ordinal, Host: "pi",
		Capabilities: wire.ClassLocal.Capabilities(), Hold: wire.HoldSelf,
	}
}

// sectorOf makes sector 1 with agents enrolled.
func sectorOf(t testing.TB, agents ...wire.Enrolled) *registry.Sector {
	t.Helper()
	s := registry.NewSector(1, smallMesh(), 1)
	if err := s.Enrol(agents); err != nil {
		t.Fatal(err)
	}
	return s
}

// beats numbers the heartbeats of tests that do not care.
var beats uint64

// beatOf is a heartbeat of host pi in a cluster with one beat for each agent.
func beatOf(cluster string, ids ...string) *wire.Heartbeat {
	beats++
	hb := &wire.Heartbeat{Header: wire.Head(wire.TypeHeartbeat), Host: "pi", Cluster: place(cluster), Incarnation: 1, Seq: beats, HostRTTMS: 20}
	for _, id := range ids {
		hb.Agents = append(hb.Agents, wire.Beat{AgentID: id, Incarnation: 1, LatencyMS: 10, ProcessingMS: 100, Samples: 50, Reliability: 1})
	}
	return hb
}

// full seats agents in every planned seat of a topology, on a host a sector.
func full(t testing.TB, topo *wire.Topology) [][]wire.Enrolled {
	t.Helper()
	seating := registry.NewSeating(topo)
	sectors := make([][]wire.Enrolled, len(topo.Sectors))
	for i, s := range topo.Sectors {
		count := map[wire.Class]int{}
		for _, c := range s.Clusters {
			for class, n := range c.Seats {
				count[class] += n
			}
		}
		join := &wire.Join{Mesh: topo.Mesh, Host: fmt.Sprintf("sim-%d", i+1), Sector: i + 1, Sim: true, Labels: map[string]string{"region": "eu"}}
		for _, class := range wire.Classes {
			if count[class] > 0 {
				join.Agents = append(join.Agents, wire.AgentSpec{Class: class, Count: count[class]})
			}
		}
		agents, err := seating.Take(join)
		if err != nil {
			t.Fatal(err)
		}
		sectors[i] = agents
	}
	return sectors
}
