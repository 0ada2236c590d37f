package meshcore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// newcomer is a host that wants to join with n agents of class A.
func newcomer(t *testing.T, host string, n int) *wire.Join {
	t.Helper()
	key, _, err := auth.NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	return &wire.Join{
		Header: wire.Head(wire.TypeJoin), Mesh: "test", Host: host, Key: key,
		Agents: []wire.AgentSpec{{Class: wire.ClassEdge, Count: n}},
	}
}

// invited is a memory with a token of so many uses.
func invited(id string, uses int) Memory {
	return Memory{Tokens: []wire.Token{{ID: id, What: "host", Uses: uses, Expires: time.Now().Add(time.Hour)}}}
}

// asks sends a JOIN with a token; the error is the core's refusal.
func (b *bench) asks(token string, j *wire.Join) (joined wire.Joined, refusal error) {
	b.t.Helper()
	m, err := b.holder(token).Request(wire.SubjectJoinWith(token), wire.Encode(j), testWait)
	if err != nil {
		b.t.Fatal(err)
	}
	var refused wire.Error
	if wire.Decode(m.Data, wire.TypeError, &refused) == nil {
		return joined, &refused
	}
	if err := wire.Decode(m.Data, wire.TypeJoined, &joined); err != nil {
		b.t.Fatal(err)
	}
	return joined, nil
}

// remembered is what a projection of the facts would know of who has joined.
func (b *bench) remembered(m Memory) Memory {
	b.t.Helper()
	m.TokensUsed = map[string][]string{}
	for _, f := range b.facts.of(wire.FactHostJoined) {
		var h wire.HostJoined
		if err := json.Unmarshal(f.Data, &h); err != nil {
			b.t.Fatal(err)
		}
		m.Hosts = append(m.Hosts, h)
		m.TokensUsed[h.Token] = append(m.TokensUsed[h.Token], f.Host)
	}
	return m
}

func wantRefusal(err error, code wire.Code) error {
	refused, ok := errors.AsType[*wire.Error](err)
	if !ok || refused.Code != code {
		return fmt.Errorf("want a refusal %s, got: %w", code, err)
	}
	return nil
}

func TestAJoinWhoseAnswerWasLostIsAnsweredAgainAndByALaterCoreToo(t *testing.T) {
	b := newBench(t, 1)
	memory := invited("t1", 1)
	b.start(memory)
	j := newcomer(t, "pi-1", 3)
	first, err := b.asks("t1", j)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.asks("t1", j)
	if err != nil || len(again.Grants) != len(first.Grants) {
		t.Fatalf("asked again: %+v, %v", again, err)
	}
	b.end()

	b.start(b.remembered(memory))
	later, err := b.asks("t1", j)
	if err != nil || len(later.Grants) != len(first.Grants) || later.Grants[0].Clusters[0] != first.Grants[0].Clusters[0] {
		t.Fatalf("asked once more after a restart: %+v, %v", later, err)
	}
	if n := len(b.facts.of(wire.FactHostJoined)); n != len(first.Grants[0].Clusters) {
		t.Errorf("%d facts of joins in %d clusters", n, len(first.Grants[0].Clusters))
	}
	thief := newcomer(t, "pi-1", 3)
	if _, err := b.asks("t1", thief); wantRefusal(err, wire.CodeTokenUsed) != nil {
		t.Error("the same host under another key:", err)
	}
}

func TestWhoCouldNotBeEnrolledLosesNothing(t *testing.T) {
	b := newBench(t, 1)
	b.start(invited("t1", 1))
	j := newcomer(t, "pi-1", 200) // all that two clusters can grow to
	b.facts.refusing(errRefused, wire.FactHostJoined)
	if _, err := b.asks("t1", j); wantRefusal(err, wire.CodeInternal) != nil {
		t.Fatal("facts that cannot be written:", err)
	}
	b.facts.refusing(nil)
	if _, err := b.asks("t1", j); err != nil {
		t.Fatal("token and seats were given back:", err)
	}
}

func TestSeatsThatMayBeTakenAreGivenToNobodyElse(t *testing.T) {
	b := newBench(t, 1)
	memory := invited("t1", 2)
	b.start(memory)
	b.facts.refusing(ErrUncertain, wire.FactHostJoined)
	if _, err := b.asks("t1", newcomer(t, "pi-1", 200)); wantRefusal(err, wire.CodeInternal) != nil {
		t.Fatal(err)
	}
	b.facts.refusing(nil)
	if _, err := b.asks("t1", newcomer(t, "pi-2", 1)); wantRefusal(err, wire.CodeFull) != nil {
		t.Fatal("the seats of a host whose facts may be there:", err)
	}
	b.end()
	b.start(b.remembered(memory)) // they were not there
	if _, err := b.asks("t1", newcomer(t, "pi-2", 1)); err != nil {
		t.Error(err)
	}
}

func TestAMeshGrowsToAHundredAClusterAndIsFullThen(t *testing.T) {
	b := newBench(t, 1)
	b.start(invited("t1", 10))
	if _, err := b.asks("t1", newcomer(t, "pi-1", 201)); wantRefusal(err, wire.CodeFull) != nil {
		t.Fatal("201 agents in two clusters:", err)
	}
	joined, err := b.asks("t1", newcomer(t, "pi-2", 200))
	if err != nil || len(joined.Grants[0].Clusters) != 2 {
		t.Fatalf("200 agents in two clusters: %+v, %v", joined, err)
	}
	b.eventually("all are on the picture", func() (bool, string) {
		n := b.core.View().Stats().TotalAgents
		return n == 200, fmt.Sprintf("%d agents", n)
	})
	if _, err := b.asks("t1", newcomer(t, "pi-3", 1)); wantRefusal(err, wire.CodeFull) != nil {
		t.Fatal("one more:", err)
	}
}

func TestPeopleAndHostsShareNoName(t *testing.T) {
	b := newBench(t, 1)
	memory := invited("t1", 10)
	memory.People = []wire.Person{{Name: "alice", Role: wire.Operator}}
	b.start(memory)
	if _, err := b.asks("t1", newcomer(t, "alice", 1)); wantRefusal(err, wire.CodeDuplicate) != nil {
		t.Error("a host named like a person:", err)
	}
	if _, err := b.asks("t1", newcomer(t, "pi-1", 1)); err != nil {
		t.Fatal(err)
	}
	if err := b.core.AddPerson(t.Context(), wire.Person{Name: "pi-1", Role: wire.Operator}); wantRefusal(err, wire.CodeDuplicate) != nil {
		t.Error("a person named like a host:", err)
	}

	// A name is taken from when its fact begins to be written.
	asked := make(chan error, 1)
	b.facts.hooking(wire.FactPersonAdded, func() {
		_, err := b.asks("t1", newcomer(t, "bob", 1))
		asked <- err
	})
	if err := b.core.AddPerson(t.Context(), wire.Person{Name: "bob", Role: wire.Observer}); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; wantRefusal(err, wire.CodeDuplicate) != nil {
		t.Error("a host that takes the name of a person who is being added:", err)
	}
}
