package wire

import "fmt"

// Topology is the shape of a mesh: 2.1's hierarchy, with ragged sizes. It is
// made by `init`, kept in the mesh's directory, and told to consoles.
type Topology struct {
	Mesh    string       `json:"mesh"`
	Sectors []SectorPlan `json:"sectors"` // sector n is Sectors[n-1]
}

// SectorPlan is one sector.
type SectorPlan struct {
	Name     string        `json:"name,omitempty"`
	Clusters []ClusterPlan `json:"clusters"` // cluster n is Clusters[n-1]
}

// ClusterPlan is one cluster: how many seats of each class it is meant to have.
// A cluster may grow beyond its plan, to MaxChildren agents.
type ClusterPlan struct {
	Name  string        `json:"name,omitempty"`
	Seats map[Class]int `json:"seats"`
}

// Total is the number of planned seats.
func (c ClusterPlan) Total() (n int) {
	for _, k := range c.Seats {
		n += k
	}
	return n
}

// Check returns an error unless every node has at most MaxChildren children
// (an orchestrator may have MaxSectors), every cluster a seat, and every name
// is valid and used once.
func (t *Topology) Check() error {
	var c checks
	c.name("mesh", t.Mesh)
	c.that(len(t.Sectors) >= 1 && len(t.Sectors) <= MaxSectors, "topology: %d sectors: want 1 to %d", len(t.Sectors), MaxSectors)
	names := map[string]string{}
	once := func(kind, name string, place Address) {
		if name == "" {
			return
		}
		c.name(kind, name)
		key := kind + " " + name
		c.that(names[key] == "", "topology: %s name %q is used for %s and %s", kind, name, names[key], place)
		names[key] = place.String()
	}
	for i, s := range t.Sectors {
		at := Address{Sector: i + 1}
		once("sector", s.Name, at)
		c.that(len(s.Clusters) >= 1 && len(s.Clusters) <= MaxChildren, "topology: sector %s has %d clusters: want 1 to %d", at, len(s.Clusters), MaxChildren)
		for j, cl := range s.Clusters {
			at.Cluster = j + 1
			once("cluster", cl.Name, at)
			for class, n := range cl.Seats {
				c.that(class.Valid() && n >= 0 && n <= MaxChildren, "topology: cluster %s: class %s with %d seats", at, class, n)
			}
			c.that(cl.Total() >= 1 && cl.Total() <= MaxChildren, "topology: cluster %s has %d seats: want 1 to %d", at, cl.Total(), MaxChildren)
		}
	}
	return c.err
}

// Exists reports whether a sector, cluster or seat can exist: a seat up to
// MaxChildren, since clusters grow.
func (t *Topology) Exists(a Address) bool { return t.Require(a) == nil }

// Require returns an error of code unknown_target that says what there is,
// unless the address can exist.
func (t *Topology) Require(a Address) error {
	if a.Level() == LevelMesh {
		return nil
	}
	if a.Sector < 1 || a.Sector > len(t.Sectors) {
		return Errorf(CodeUnknownTarget, "there is no sector %d", a.Sector).WithHint("sectors are 1 to %d", len(t.Sectors))
	}
	clusters := t.Sectors[a.Sector-1].Clusters
	if a.Cluster != 0 && (a.Cluster < 1 || a.Cluster > len(clusters)) {
		return Errorf(CodeUnknownTarget, "there is no cluster %s", a.InCluster()).WithHint("the clusters of sector %d are %d.1 to %d.%d", a.Sector, a.Sector, a.Sector, len(clusters))
	}
	if a.Seat != 0 && (a.Seat < 1 || a.Seat > MaxChildren) {
		return Errorf(CodeUnknownTarget, "there is no seat %s", a).WithHint("a cluster has at most %d agents", MaxChildren)
	}
	return nil
}

// Clusters yields every cluster's address in order.
func (t *Topology) Clusters(yield func(Address) bool) {
	for i, s := range t.Sectors {
		for j := range s.Clusters {
			if !yield(Address{i + 1, j + 1, 0}) {
				return
			}
		}
	}
}

// Seats is the number of planned seats of the mesh.
func (t *Topology) Seats() (n int) {
	for _, s := range t.Sectors {
		for _, c := range s.Clusters {
			n += c.Total()
		}
	}
	return n
}

// SectorNamed finds a sector by name; 0 if there is none.
func (t *Topology) SectorNamed(name string) int {
	for i, s := range t.Sectors {
		if s.Name == name && name != "" {
			return i + 1
		}
	}
	return 0
}

// ClusterNamed finds a cluster by name.
func (t *Topology) ClusterNamed(name string) (Address, error) {
	for i, s := range t.Sectors {
		for j, c := range s.Clusters {
			if c.Name == name && name != "" {
				return Address{i + 1, j + 1, 0}, nil
			}
		}
	}
	return Address{}, fmt.Errorf("no cluster is named %q", Clean(name))
}
