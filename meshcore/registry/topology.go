package registry

import (
	"cmp"
	"slices"

	"mesh30k/meshcore/wire"
)

// homeOfLocal is the cluster of each sector that class E takes first (rulings:
// the fourth cluster of each sector is class E).
const homeOfLocal = 4

// DefaultTopology is a mesh of so many sectors, clusters a sector and seats a
// cluster, with 2.2's classes in every sector; 100, 10 and 30 are the
// specification's. Whether the numbers are allowed is [wire.Topology.Check]'s
// to say.
func DefaultTopology(mesh string, sectors, clusters, perCluster int) wire.Topology {
	sizes := make([][]int, max(0, sectors))
	for i := range sizes {
		sizes[i] = slices.Repeat([]int{perCluster}, max(0, clusters))
	}
	return RaggedTopology(mesh, sizes)
}

// RaggedTopology is a mesh whose clusters have the given numbers of seats, by
// sector and cluster. In every sector the classes have 2.2's proportions, by
// largest remainder. Class E takes the fourth cluster first; the other clusters
// have one class each as long as a class can fill one, and what is left of the
// classes fills the rest.
func RaggedTopology(mesh string, sizes [][]int) wire.Topology {
	t := wire.Topology{Mesh: mesh}
	for _, clusters := range sizes {
		total := 0
		for _, n := range clusters {
			total += max(0, n)
		}
		t.Sectors = append(t.Sectors, wire.SectorPlan{Clusters: seatClasses(clusters, allot(total))})
	}
	return t
}

// allot divides seats among the classes by 2.2's counts: whole shares first,
// then one seat each by largest remainder, the earlier class among equals.
func allot(seats int) map[wire.Class]int {
	sum := 0
	for _, c := range wire.Classes {
		sum += c.Allocation()
	}
	left := map[wire.Class]int{}
	rest := seats
	for _, c := range wire.Classes {
		left[c] = seats * c.Allocation() / sum
		rest -= left[c]
	}
	byRemainder := slices.Clone(wire.Classes[:])
	slices.SortStableFunc(byRemainder, func(a, b wire.Class) int {
		return cmp.Compare(seats*b.Allocation()%sum, seats*a.Allocation()%sum)
	})
	for _, c := range byRemainder[:rest] {
		left[c]++
	}
	return left
}

// seatClasses gives the clusters of a sector their classes; it uses up left.
func seatClasses(sizes []int, left map[wire.Class]int) []wire.ClusterPlan {
	plans := make([]wire.ClusterPlan, len(sizes))
	free := slices.Clone(sizes)
	give := func(i int, c wire.Class) {
		n := min(free[i], left[c])
		if n <= 0 {
			return
		}
		if plans[i].Seats == nil {
			plans[i].Seats = map[wire.Class]int{}
		}
		plans[i].Seats[c] += n
		free[i] -= n
		left[c] -= n
	}
	if len(sizes) >= homeOfLocal {
		give(homeOfLocal-1, wire.ClassLocal)
	}
	for i := range plans {
		for _, c := range wire.Classes {
			if free[i] == sizes[i] && left[c] >= sizes[i] {
				give(i, c)
			}
		}
	}
	for i := range plans {
		for _, c := range wire.Classes {
			give(i, c)
		}
	}
	return plans
}
