package auth

import (
	"slices"
	"strconv"

	"github.com/nats-io/jwt/v2"
)

// The placeholders of a [Template]. The broker replaces them when a user
// connects, from that user's JWT.
const (
	// NamePlace stands for the user's name.
	NamePlace = "{{name()}}"
	// ClusterPlace stands for the number of a cluster within its sector: a
	// subject with it counts once for each cluster of the user.
	ClusterPlace = "{{tag(cluster)}}"
)

// MaxClusters is how many clusters one host's JWT may name. A tag costs about
// 20 bytes of the connect line, and the broker expands a list of subjects to
// 4,096 at most.
const MaxClusters = 100

// Template is what the holders of one kind of JWT may do: lists of allowed
// subjects with placeholders. What is not listed is refused.
type Template struct {
	Pub, Sub []string
}

// Permissions are the templates of a mesh.
type Permissions struct {
	// Sectors[n-1] is for the hosts of sector n. A sector has a template of its
	// own, with its number spelled out, so that the key of one sector cannot
	// sign for another even if it is stolen.
	Sectors  []Template
	Operator Template
	Observer Template
	Token    Template
	Core     Template
}

// scope makes the scope of a signing key.
func (t Template) scope(key, role string) *jwt.UserScope {
	s := jwt.NewUserScope()
	s.Key, s.Role = key, role
	s.Template.Pub = allow(t.Pub)
	s.Template.Sub = allow(t.Sub)
	return s
}

// allow permits only subjects. An empty list in a JWT means everything, so
// nothing must be spelled as a denial.
func allow(subjects []string) jwt.Permission {
	if len(subjects) == 0 {
		return jwt.Permission{Deny: jwt.StringList{">"}}
	}
	return jwt.Permission{Allow: slices.Clone(subjects)}
}

func sectorRole(sector int) string { return "sector-" + strconv.Itoa(sector) }
