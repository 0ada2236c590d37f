package registry

import "mesh30k/meshcore/wire"

// The shape of 2.1's sectors.
const (
	clusterSeats   = 30
	sectorClusters = 10
)

// TopologyFor is a mesh with a seat for each of so many agents: 2.1's sectors of
// ten clusters of thirty, the last sector and cluster as small as they may be.
func TopologyFor(mesh string, agents int) wire.Topology {
	var sizes [][]int
	for left := agents; left > 0; {
		var clusters []int
		for len(clusters) < sectorClusters && left > 0 {
			n := min(clusterSeats, left)
			clusters = append(clusters, n)
			left -= n
		}
		sizes = append(sizes, clusters)
	}
	return RaggedTopology(mesh, sizes)
}
