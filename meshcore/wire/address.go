package wire

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Address names a place in the hierarchy of 2.1, counted from 1: 7.4.12 is
// agent 12 of cluster 4 of sector 7, 7.4 a cluster, 7 a sector. The zero
// Address is the mesh. An agent's address is a seat: the agent that sits there
// may change, its id does not.
type Address struct{ Sector, Cluster, Seat int }

// Limits of any address; a topology sets narrower ones.
const (
	MaxChildren = 100  // 2.1: each node manages at most 100 direct children
	MaxSectors  = 1000 // an orchestrator may be asked for more than 2.1's 100 in benches

	// MaxPlace is the highest number that an address may have; a higher one is
	// no address, whatever the topology.
	MaxPlace = 1_000_000_000
)

// Level tells how deep an address goes.
type Level int

// The levels of 2.1.
const (
	LevelMesh Level = iota
	LevelSector
	LevelCluster
	LevelAgent
)

// Level of the address.
func (a Address) Level() Level {
	switch {
	case a.Sector == 0:
		return LevelMesh
	case a.Cluster == 0:
		return LevelSector
	case a.Seat == 0:
		return LevelCluster
	default:
		return LevelAgent
	}
}

// InCluster is the address of a's cluster.
func (a Address) InCluster() Address { return Address{a.Sector, a.Cluster, 0} }

// Contains reports whether b lies at or below a.
func (a Address) Contains(b Address) bool {
	return (a.Sector == 0 || a.Sector == b.Sector) &&
		(a.Cluster == 0 || a.Cluster == b.Cluster) &&
		(a.Seat == 0 || a.Seat == b.Seat)
}

// Compare orders addresses by sector, cluster and seat.
func (a Address) Compare(b Address) int {
	if d := a.Sector - b.Sector; d != 0 {
		return d
	}
	if d := a.Cluster - b.Cluster; d != 0 {
		return d
	}
	return a.Seat - b.Seat
}

func (a Address) String() string {
	switch a.Level() {
	case LevelMesh:
		return "mesh"
	case LevelSector:
		return strconv.Itoa(a.Sector)
	case LevelCluster:
		return strconv.Itoa(a.Sector) + "." + strconv.Itoa(a.Cluster)
	default:
		return strconv.Itoa(a.Sector) + "." + strconv.Itoa(a.Cluster) + "." + strconv.Itoa(a.Seat)
	}
}

// MarshalText implements [encoding.TextMarshaler].
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it takes what
// [ParseAddress] takes.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

// The specification spells addresses in several ways: SECTOR-12,
// SECTOR7-CLUSTER4-AGENT-12, SECTOR3-GPU-CLUSTER2-AGENT-07,
// GPU-SECTOR3-CLUSTER7-A12, "Cluster 7-4".
const specKind = `(?:edge|serverless|persistent|gpu|local|human)`

var (
	specLong    = regexp.MustCompile(`(?i)^(?:` + specKind + `-)?sector[ -]?(\d+)(?:[ -](?:` + specKind + `-)?cluster[ -]?(\d+)(?:[ -]a(?:gent)?[ -]?(\d+))?)?$`)
	specCluster = regexp.MustCompile(`(?i)^cluster[ -]?(\d+)[-.](\d+)$`)
	plain       = regexp.MustCompile(`^(\d+)(?:\.(\d+)(?:\.(\d+))?)?$`)
)

// ParseAddress reads "mesh", 7, 7.4, 7.4.12 and the specification's spellings.
// Numbers count from 1. Whether the place exists is the topology's to say.
func ParseAddress(s string) (Address, error) {
	if s == "mesh" {
		return Address{}, nil
	}
	if a, ok := parsePlain(s); ok {
		return a, nil
	}
	var m []string
	for _, form := range []*regexp.Regexp{plain, specLong, specCluster} {
		if m = form.FindStringSubmatch(s); m != nil {
			break
		}
	}
	if m == nil {
		return Address{}, fmt.Errorf("address %q: want a sector (7), a cluster (7.4) or an agent (7.4.12)", Clean(s))
	}
	var part [3]int
	for i, digits := range m[1:] {
		if digits == "" {
			continue
		}
		if part[i] = placeNumber(digits); part[i] == 0 {
			return Address{}, fmt.Errorf("address %q: %s is out of range: places are counted from 1", Clean(s), Clean(digits))
		}
	}
	return Address{part[0], part[1], part[2]}, nil
}

// parsePlain reads what the mesh itself writes, 7, 7.4 or 7.4.12, on the way of
// every message; whatever else there is in s, and what is wrong with it, is for
// the patterns to find.
func parsePlain(s string) (a Address, ok bool) {
	level, n := LevelSector, 0
	parts := [...]*int{nil, &a.Sector, &a.Cluster, &a.Seat}
	for i := 0; i <= len(s); i++ {
		switch {
		case i < len(s) && s[i] >= '0' && s[i] <= '9':
			if n = 10*n + int(s[i]-'0'); n > MaxPlace {
				return Address{}, false
			}
		case (i == len(s) || s[i] == '.') && n > 0 && level <= LevelAgent:
			*parts[level] = n
			level, n = level+1, 0
		default:
			return Address{}, false
		}
	}
	return a, true
}

// last is the number of a's own level; a is not the mesh.
func (a *Address) last() *int {
	switch a.Level() {
	case LevelAgent:
		return &a.Seat
	case LevelCluster:
		return &a.Cluster
	default:
		return &a.Sector
	}
}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }
