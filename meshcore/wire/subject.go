package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The subjects of a mesh. A cluster is spelled by its address (two tokens,
// 7.4), so that a sector's coordinator can subscribe to all of its own with
// m.hb.7.>; a host by its name (one token). The broker allows a host only its
// own: see PROTOCOL.md, "Who may say what".
const (
	SubjectJoin    = "m.join.>"   // with a token: JOIN or PERSON_JOIN, answered by JOINED, PERSON_JOINED or ERROR
	SubjectDo      = "m.do.*"     // a person's actions; * is the person's own name
	SubjectFeed    = "m.feed"     // facts as they became durable, for consoles
	SubjectMesh    = "m.sum.mesh" // global statistics each 10 s and on a change of mode
	SubjectBlock   = "m.reg.>"    // registry blocks, by cluster
	SubjectSums    = "m.sum.>"    // summaries, of sectors and the mesh
	SubjectSectors = "m.sum.sector.*"

	// FactSubjects are the subjects of the stream of facts: those of kind
	// "keep" stay for ever, those of kind "log" until their retention ends.
	SubjectFacts    = "m.fact.>"
	SubjectFactKeep = "m.fact.keep"
	SubjectFactLog  = "m.fact.log"
)

// Uplink is a kind of message from a host to its cluster's lead.
type Uplink string

// The uplinks; each is m.<uplink>.<cluster>.<host>.
const (
	UplinkHello     Uplink = "hello"
	UplinkHeartbeat Uplink = "hb"
	UplinkAck       Uplink = "ack"
	UplinkReport    Uplink = "report"
)

// Uplinks lists all uplinks.
var Uplinks = [...]Uplink{UplinkHello, UplinkHeartbeat, UplinkAck, UplinkReport}

// Subject on which host says this of its agents in cluster.
func (u Uplink) Subject(cluster Address, host string) string {
	return "m." + string(u) + "." + cluster.InCluster().String() + "." + host
}

// OfSector is the wildcard that covers this uplink of all hosts of a sector.
func (u Uplink) OfSector(sector int) string {
	return "m." + string(u) + "." + strconv.Itoa(sector) + ".>"
}

// SubjectCluster is the downlink to all hosts of a cluster.
func SubjectCluster(cluster Address) string { return "m.c." + cluster.InCluster().String() }

// SubjectHost is the downlink to one host of a cluster.
func SubjectHost(cluster Address, host string) string {
	return SubjectCluster(cluster) + "." + host
}

// SubjectRegistry carries the registry block of a cluster.
func SubjectRegistry(cluster Address) string { return "m.reg." + cluster.InCluster().String() }

// SubjectSector carries a sector's summary.
func SubjectSector(sector int) string { return "m.sum.sector." + strconv.Itoa(sector) }

// SubjectPerson is where the person name sends actions.
func SubjectPerson(name string) string { return "m.do." + name }

// SubjectShard is where the orchestrator commands the shard of a sector;
// SubjectShardUp is where that shard answers. Only the core may use them.
func SubjectShard(sector int) string   { return "m.core.down." + strconv.Itoa(sector) }
func SubjectShardUp(sector int) string { return "m.core.up." + strconv.Itoa(sector) }

// SubjectShardsUp covers all shards' answers.
const SubjectShardsUp = "m.core.up.*"

// InboxPrefix is the prefix of the reply subjects of a host or person: nobody
// else may subscribe there.
func InboxPrefix(name string) string { return "_INBOX_" + name }

// SubjectJoinWith is where the holder of the join token id asks to join.
func SubjectJoinWith(id string) string { return "m.join." + id }

// ParseUplink takes the subject of an uplink apart.
func ParseUplink(subject string) (u Uplink, cluster Address, host string, err error) {
	t := strings.Split(subject, ".")
	if len(t) != 5 || t[0] != "m" {
		return "", Address{}, "", fmt.Errorf("subject %q: want m.<uplink>.<sector>.<cluster>.<host>", Clean(subject))
	}
	cluster, err = ParseAddress(t[2] + "." + t[3])
	if err != nil {
		return "", Address{}, "", fmt.Errorf("subject %q: %w", Clean(subject), err)
	}
	if !slices.Contains(Uplinks[:], Uplink(t[1])) || cluster.String() != t[2]+"."+t[3] {
		return "", Address{}, "", fmt.Errorf("subject %q: want m.<uplink>.<sector>.<cluster>.<host>, an uplink of %v", Clean(subject), Uplinks)
	}
	if err := CheckName("host", t[4]); err != nil {
		return "", Address{}, "", fmt.Errorf("subject %q: %w", Clean(subject), err)
	}
	return Uplink(t[1]), cluster, t[4], nil
}
