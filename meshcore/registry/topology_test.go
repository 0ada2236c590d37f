package registry_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

func TestTheDefaultMeshHasTheSpecificationsCounts(t *testing.T) {
	topo := registry.DefaultTopology("mesh", 100, 10, 30)
	if err := topo.Check(); err != nil {
		t.Fatal(err)
	}
	total, mixed := map[wire.Class]int{}, 0
	for i, s := range topo.Sectors {
		for _, c := range s.Clusters {
			if c.Total() != 30 {
				t.Fatalf("a cluster of %d seats", c.Total())
			}
			if len(c.Seats) > 1 {
				mixed++
			}
			for class, n := range c.Seats {
				total[class] += n
			}
		}
		if !maps.Equal(s.Clusters[3].Seats, map[wire.Class]int{wire.ClassLocal: 30}) {
			t.Fatalf("cluster %d.4 is %v, not class E", i+1, s.Clusters[3].Seats)
		}
	}
	for _, c := range wire.Classes {
		if total[c] != c.Allocation() {
			t.Errorf("class %s has %d seats, want %d", c, total[c], c.Allocation())
		}
	}
	// A and B fill 5 clusters, C and E one each; the rest of A to F shares three.
	if mixed != 300 {
		t.Errorf("%d clusters have several classes, want 300", mixed)
	}
}

func TestRaggedSectorsKeepTheProportions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(1, 100), 1, 20), 1, 5).Draw(t, "sizes")
		topo := registry.RaggedTopology("ragged", sizes)
		if err := topo.Check(); err != nil {
			t.Fatal(err)
		}
		for i, clusters := range sizes {
			seats, total := map[wire.Class]int{}, 0
			for j, n := range clusters {
				total += n
				if got := topo.Sectors[i].Clusters[j].Total(); got != n {
					t.Fatalf("cluster %d.%d has %d seats, want %d", i+1, j+1, got, n)
				}
				for class, k := range topo.Sectors[i].Clusters[j].Seats {
					seats[class] += k
				}
			}
			for _, c := range wire.Classes {
				if share := float64(total*c.Allocation()) / 30_000; float64(seats[c]) <= share-1 || float64(seats[c]) >= share+1 {
					t.Fatalf("sector %d: class %s has %d of %d seats, its share is %.2f", i+1, c, seats[c], total, share)
				}
			}
			if len(clusters) >= 4 {
				home := topo.Sectors[i].Clusters[3].Seats[wire.ClassLocal]
				if home != min(clusters[3], seats[wire.ClassLocal]) {
					t.Fatalf("sector %d: %d of class E sit in the fourth cluster", i+1, home)
				}
			}
		}
	})
}

func TestSizesThatCannotBeAreTheTopologysToRefuse(t *testing.T) {
	for _, size := range [][3]int{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {1, 1, 101}, {1, 101, 1}, {-1, -1, -1}} {
		topo := registry.DefaultTopology("mesh", size[0], size[1], size[2])
		if topo.Check() == nil {
			t.Errorf("%v was accepted", size)
		}
	}
}

func TestAMeshOfAnySizeHasThatManySeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10_000).Draw(t, "agents")
		topo := registry.TopologyFor("test", n)
		if err := topo.Check(); err != nil || topo.Seats() != n {
			t.Fatalf("%d seats for %d agents, %v", topo.Seats(), n, err)
		}
	})
	if topo := registry.TopologyFor("test", 30_000); len(topo.Sectors) != 100 || len(topo.Sectors[99].Clusters) != 10 {
		t.Errorf("30,000 agents make %d sectors", len(topo.Sectors))
	}
}
