package meshcore

import (
	"strconv"
	"strings"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// Permissions are what each kind of user of a mesh with sectors sectors may
// publish and subscribe. PROTOCOL.md, "Who may say what", says the same in
// words.
func Permissions(sectors int) auth.Permissions {
	person := personTemplate()
	p := auth.Permissions{
		Sectors:  make([]auth.Template, sectors),
		Operator: person,
		Observer: person, // the core refuses an observer's changes: the broker cannot tell them apart
		Token:    tokenTemplate(),
		Core:     auth.Template{Pub: []string{">"}, Sub: []string{">"}},
	}
	for i := range p.Sectors {
		p.Sectors[i] = hostTemplate(i + 1)
	}
	return p
}

// hostTemplate allows a host its own uplinks, and the downlinks of its own
// clusters of the sector.
func hostTemplate(sector int) auth.Template {
	// A cluster's subject is spelled by wire for a number that no cluster has,
	// which is then replaced: so no subject is spelled twice.
	const stand = 999_999
	spell := func(subject string) string {
		return strings.Replace(subject, strconv.Itoa(stand), auth.ClusterPlace, 1)
	}
	cluster := wire.Address{Sector: sector, Cluster: stand}
	var t auth.Template
	for _, u := range wire.Uplinks {
		t.Pub = append(t.Pub, spell(u.Subject(cluster, auth.NamePlace)))
	}
	t.Sub = []string{
		spell(wire.SubjectCluster(cluster)),
		spell(wire.SubjectHost(cluster, auth.NamePlace)),
		inbox(auth.NamePlace),
	}
	return t
}

// personTemplate allows a person to ask for actions under her own name only,
// and to read what consoles show. It grants nothing of JetStream.
func personTemplate() auth.Template {
	return auth.Template{
		Pub: []string{wire.SubjectPerson(auth.NamePlace)},
		Sub: []string{wire.SubjectBlock, wire.SubjectSums, wire.SubjectFeed, inbox(auth.NamePlace)},
	}
}

// tokenTemplate allows to ask to join, and to hear the answer.
func tokenTemplate() auth.Template {
	return auth.Template{
		Pub: []string{subjectJoin(auth.NamePlace)},
		Sub: []string{inbox(auth.NamePlace)},
	}
}

// subjectJoin is where the holder of the token id asks to join.
func subjectJoin(id string) string { return strings.TrimSuffix(wire.SubjectJoin, ">") + id }

func inbox(name string) string { return wire.InboxPrefix(name) + ".>" }
