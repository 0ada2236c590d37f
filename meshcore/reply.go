package meshcore

import (
	"strings"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// repliesTo reports whether the answer to m would go to name, who sent it. The
// broker checks on which subjects somebody may publish and subscribe, not where
// he wants to be answered; and the core may publish anywhere. An answer to any
// other subject would lend the sender the core's own rights: to the downlinks of
// his neighbours, to $JS.API (a HEARTBEAT_ACK has a member seq, as a purge has,
// and only the broker's strictness about the other members keeps the facts).
func repliesTo(m *nats.Msg, name string) bool {
	return strings.HasPrefix(m.Reply, wire.InboxPrefix(name)+".")
}

// tokenOf is the id of the token that a JOIN spends: the broker vouches for it.
func tokenOf(m *nats.Msg) string { return strings.TrimPrefix(m.Subject, wire.SubjectJoinWith("")) }
