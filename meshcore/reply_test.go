package meshcore

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// A host, a person and a token's holder choose where they want to be answered,
// and the core may publish anywhere.
func TestNobodyLendsTheCoresRightsByAReplySubject(t *testing.T) {
	b := newBench(t, 1)
	place := wire.Address{Sector: 1, Cluster: 1}
	agents := enrolled("pi-1", place, 1, 2)
	b.start(Memory{Hosts: []wire.HostJoined{joined("pi-1", agents)}})
	b.opens(func(int, string) {})
	watch := connectTestCore(t, b.broker)
	for _, elsewhere := range []string{"m.c.1.2", "$JS.API.STREAM.PURGE." + StreamFacts, wire.InboxPrefix("pi-10") + ".x"} {
		sub, err := watch.SubscribeSync(elsewhere)
		if err != nil {
			t.Fatal(err)
		}
		if err := watch.FlushTimeout(testWait); err != nil {
			t.Fatal(err)
		}
		h := b.host("pi-1", place)
		hello := wire.UplinkHello.Subject(place, "pi-1")
		alice, token := b.person("alice"), b.holder("t1")
		for _, from := range []struct {
			who      *user
			subject  string
			data     []byte
			answered string // where nonsense is answered, after what came before
		}{
			{h.user, wire.UplinkHeartbeat.Subject(place, "pi-1"), wire.Encode(h.beat(names(agents)...)), hello},
			{h.user, hello, []byte("?"), hello},
			{alice, wire.SubjectPerson("alice"), []byte("?"), wire.SubjectPerson("alice")},
			{token, wire.SubjectJoinWith("t1"), []byte("?"), wire.SubjectJoinWith("t1")},
		} {
			if err := from.who.PublishMsg(&nats.Msg{Subject: from.subject, Reply: elsewhere, Data: from.data}); err != nil {
				t.Fatal(err)
			}
			if err := askUntilHeard(from.who.Conn, from.answered); err != nil {
				t.Errorf("%s: an answer to the sender's own inbox: %v", from.subject, err)
			}
			for _, nc := range []*nats.Conn{b.core.conn, b.core.shardConn, watch} {
				if err := nc.FlushTimeout(testWait); err != nil {
					t.Fatal(err)
				}
			}
			if n, _, _ := sub.Pending(); n > 0 {
				t.Fatalf("what came on %s was answered on %s", from.subject, elsewhere)
			}
		}
	}
}

// askUntilHeard asks nonsense until somebody listens there: the core's door
// opens a moment after the core.
func askUntilHeard(nc *nats.Conn, subject string) error {
	for end := time.Now().Add(testWait); ; {
		_, err := nc.Request(subject, []byte("?"), testWait)
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(end) {
			return err
		}
	}
}
