package client

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker starts a NATS server of this test's own.
func broker(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the broker does not start")
	}
	return s
}

func connect(t *testing.T, s *server.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// setup is a client of cecilia's, and the connection of a core that answers her
// with answer.
func setup(t *testing.T, answer func(do wire.Do, reply func(wire.Message))) (*Client, *nats.Conn) {
	t.Helper()
	s := broker(t)
	core := connect(t, s)
	if answer != nil {
		_, err := core.Subscribe(wire.SubjectDo, func(m *nats.Msg) {
			var do wire.Do
			if err := wire.Decode(m.Data, wire.TypeDo, &do); err != nil {
				t.Errorf("the client sent %s: %v", m.Data, err)
				return
			}
			if m.Subject != "m.do.cecilia" || !strings.HasPrefix(m.Reply, wire.InboxPrefix("cecilia")+".") {
				t.Errorf("asked on %s, to be answered on %s", m.Subject, m.Reply)
			}
			answer(do, func(a wire.Message) {
				if err := core.Publish(m.Reply, wire.Encode(a)); err != nil {
					t.Error(err)
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := core.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	c := New(connect(t, s, nats.CustomInboxPrefix(wire.InboxPrefix("cecilia"))), "cecilia")
	return c, core
}

func ended(do wire.Do, data string) *wire.Outcome {
	return &wire.Outcome{Header: wire.Head(wire.TypeOutcome), ID: do.ID, Action: "list", Verdict: wire.Done, Data: jsontext.Value(data), Text: "2 rows\n"}
}

func TestRowsAreJoinedInOrder(t *testing.T) {
	c, _ := setup(t, func(do wire.Do, reply func(wire.Message)) {
		reply(&wire.Records{Header: wire.Head(wire.TypeRecords), ID: do.ID, Rows: []jsontext.Value{[]byte(`{"n":1}`)}, Text: "HEAD\none\n"})
		reply(&wire.Progress{Header: wire.Head(wire.TypeProgress), ID: do.ID, Done: 1})
		reply(&wire.Records{Header: wire.Head(wire.TypeRecords), ID: do.ID, Rows: []jsontext.Value{[]byte(`{"n":2}`)}, Text: "two\n"})
		reply(ended(do, `{"total":2}`))
	})
	told := 0
	out := c.Read(t.Context(), console.List{What: "agents", Sort: "impedance", Limit: 20}, Handlers{Progress: func(wire.Progress) { told++ }})
	if out.Verdict != wire.Done || string(out.Data) != `{"total":2,"rows":[{"n":1},{"n":2}]}` || out.Text != "HEAD\none\ntwo\n2 rows\n" || told != 1 {
		t.Errorf("%s %s %q, %d told", out.Verdict, out.Data, out.Text, told)
	}
	var streamed []string
	out = c.Read(t.Context(), console.Status{}, Handlers{Rows: func(rows []jsontext.Value) {
		for _, r := range rows {
			streamed = append(streamed, string(r))
		}
	}})
	if len(streamed) != 2 || string(out.Data) != `{"total":2}` {
		t.Errorf("streamed %v, data %s", streamed, out.Data)
	}
}

func TestAPlanIsExecutedByItsHash(t *testing.T) {
	var seen []wire.Do
	c, _ := setup(t, func(do wire.Do, reply func(wire.Message)) {
		seen = append(seen, do)
		if do.Step == wire.StepPlan {
			reply(&wire.Plan{Header: wire.Head(wire.TypePlan), ID: do.ID, Hash: "abcd", Count: 3, Wide: true})
		}
		reply(ended(do, `{}`))
	})
	plan, out := c.Plan(t.Context(), console.Freeze{})
	if plan == nil || plan.Hash != "abcd" {
		t.Fatalf("%+v %+v", plan, out)
	}
	if out := c.Execute(t.Context(), plan.Hash, console.Freeze{}, plan.Count, Handlers{}); out.Verdict != wire.Done {
		t.Errorf("%+v", out)
	}
	if len(seen) != 2 || seen[1].Step != wire.StepExecute || seen[1].Hash != "abcd" || seen[1].Typed != 3 || string(seen[1].Action) != `{"action":"freeze"}` {
		t.Errorf("%+v", seen)
	}
}

func TestACoreThatMadeNoPlanIsNotTakenAtItsWord(t *testing.T) {
	c, _ := setup(t, func(do wire.Do, reply func(wire.Message)) { reply(ended(do, `{}`)) })
	if plan, out := c.Plan(t.Context(), console.Freeze{}); plan != nil || out.Verdict != wire.Internal {
		t.Errorf("%+v %+v", plan, out)
	}
}

func TestUnreachable(t *testing.T) {
	t.Run("a broker without a core", func(t *testing.T) {
		c, _ := setup(t, nil)
		out := c.Read(t.Context(), console.Status{}, Handlers{})
		if out.Verdict != wire.Unreachable || out.Exit != 7 || out.Err == nil || out.Err.Hint == "" || !strings.Contains(out.Text, "no core") {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a core that says nothing", func(t *testing.T) {
		c, _ := setup(t, func(wire.Do, func(wire.Message)) {})
		c.first = 20 * time.Millisecond
		if out := c.Read(t.Context(), console.Status{}, Handlers{}); out.Verdict != wire.Unreachable {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a core that stops in the middle", func(t *testing.T) {
		c, _ := setup(t, func(do wire.Do, reply func(wire.Message)) {
			reply(&wire.Progress{Header: wire.Head(wire.TypeProgress), ID: do.ID})
		})
		c.next = 20 * time.Millisecond
		if out := c.Read(t.Context(), console.Status{}, Handlers{}); out.Verdict != wire.Unreachable {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a connection that is closed", func(t *testing.T) {
		c, _ := setup(t, nil)
		c.Close()
		if out := c.Read(t.Context(), console.Status{}, Handlers{}); out.Verdict != wire.Unreachable {
			t.Errorf("%+v", out)
		}
	})
}

func TestWhoStopsWaitingIsToldThatTheOperationGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := setup(t, func(wire.Do, func(wire.Message)) { cancel() })
	out := c.Execute(ctx, "abcd", console.Freeze{}, 0, Handlers{})
	if out.Verdict != wire.Internal || !strings.Contains(out.Text, "continues") {
		t.Errorf("%+v", out)
	}
}

func TestAnAnswerThatCannotBeReadIsSaid(t *testing.T) {
	s := broker(t)
	core := connect(t, s)
	if _, err := core.Subscribe(wire.SubjectDo, func(m *nats.Msg) { _ = m.Respond([]byte(`{"type":"OUTCOME","v":"9.0"}`)) }); err != nil {
		t.Fatal(err)
	}
	if err := core.Flush(); err != nil {
		t.Fatal(err)
	}
	out := New(connect(t, s), "cecilia").Read(t.Context(), console.Status{}, Handlers{})
	if out.Verdict != wire.Internal || !strings.Contains(out.Text, "versions") {
		t.Errorf("%+v", out)
	}
}

func block(rev uint64) *wire.Block {
	return &wire.Block{Header: wire.Head(wire.TypeBlock), Cluster: wire.Address{Sector: 1, Cluster: 2}, Epoch: 1, Rev: rev, At: time.Unix(1, 0)}
}

func TestAReplicaIsTopologyAndBlocks(t *testing.T) {
	c, _ := setup(t, func(do wire.Do, reply func(wire.Message)) {
		reply(block(7))
		reply(ended(do, `{"topology":{"mesh":"demo","sectors":[{"clusters":[{"seats":{"A":1}}]}]}}`))
	})
	topology, blocks, out := c.Replica(t.Context())
	if out.Verdict != wire.Done || topology == nil || topology.Mesh != "demo" || len(blocks) != 1 || blocks[0].Rev != 7 {
		t.Errorf("%+v %+v %+v", topology, blocks, out)
	}
}

// look waits until the feed has told all that want asks for.
func look(t *testing.T, f *Feed, until func(console.Update) bool) console.Update {
	t.Helper()
	var all console.Update
	late := time.After(10 * time.Second)
	for {
		select {
		case <-f.Changed():
			u := f.Take()
			all.Blocks = append(all.Blocks, u.Blocks...)
			all.Sectors = append(all.Sectors, u.Sectors...)
			all.Facts = append(all.Facts, u.Facts...)
			all.Dropped += u.Dropped
			all.Undecodable += u.Undecodable
			all.Reload = all.Reload || u.Reload
			if u.Stats != nil {
				all.Stats = u.Stats
			}
			if until(all) {
				return all
			}
		case <-late:
			t.Fatalf("the feed did not tell: %+v", all)
		}
	}
}

func TestTheFeedTellsWhatIsPublished(t *testing.T) {
	c, core := setup(t, nil)
	f, err := c.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, core, wire.SubjectRegistry(wire.Address{Sector: 1, Cluster: 2}), wire.Encode(block(1)))
	publish(t, core, wire.SubjectSector(1), wire.Encode(&wire.SectorSummary{Header: wire.Head(wire.TypeSectorSummary), Sector: 1}))
	publish(t, core, wire.SubjectMesh, wire.Encode(&wire.GlobalStats{Header: wire.Head(wire.TypeGlobalStats), Mode: "FULL"}))
	publish(t, core, wire.SubjectFeed, wire.Encode(&wire.Feed{Header: wire.Head(wire.TypeFeed), Facts: []wire.Fact{{Seq: 1, Kind: wire.FactFreeze}}}))
	publish(t, core, wire.SubjectFeed, []byte(`nonsense`))
	u := look(t, f, func(u console.Update) bool {
		return len(u.Blocks) == 1 && len(u.Sectors) == 1 && u.Stats != nil && len(u.Facts) == 1 && u.Undecodable == 1
	})
	if u.Reload || u.Dropped != 0 || u.Stats.Mode != "FULL" {
		t.Errorf("%+v", u)
	}
}

func publish(t *testing.T, nc *nats.Conn, subject string, data []byte) {
	t.Helper()
	if err := nc.Publish(subject, data); err != nil {
		t.Fatal(err)
	}
}

func TestWhoDoesNotLookLosesOldFactsAndKeepsTheLatestBlock(t *testing.T) {
	f := newFeed()
	for i := range MaxFacts + 10 {
		f.take(wire.Encode(&wire.Feed{Header: wire.Head(wire.TypeFeed), Facts: []wire.Fact{{Seq: uint64(i)}}}))
	}
	f.take(wire.Encode(block(2)))
	f.take(wire.Encode(block(1))) // late
	u := f.Take()
	if len(u.Facts) != MaxFacts || u.Dropped != 10 || u.Facts[0].Seq != 10 || len(u.Blocks) != 1 || u.Blocks[0].Rev != 2 {
		t.Errorf("%d facts from %d, %d dropped, %d blocks", len(u.Facts), u.Facts[0].Seq, u.Dropped, len(u.Blocks))
	}
	if u := f.Take(); !u.Empty() {
		t.Errorf("told twice: %+v", u)
	}
}

func TestAReconnectAsksForAReload(t *testing.T) {
	s := broker(t)
	nc := connect(t, s, nats.ReconnectWait(time.Millisecond), nats.MaxReconnects(-1))
	f, err := New(nc, "cecilia").Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	look(t, f, func(u console.Update) bool { return u.Reload })
}
