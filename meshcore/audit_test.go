package meshcore

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

func deed(id string) wire.AuditEntry {
	return wire.AuditEntry{ID: id, Person: "alice", Role: wire.Operator, Step: wire.StepExecute, Action: jsontext.Value(`{"action":"freeze"}`), Verdict: wire.Done}
}

// chain checks that each entry follows the one before, and returns the head.
func (m *memoryFacts) chain(t *testing.T) (head string, n int) {
	t.Helper()
	for _, f := range m.of(wire.FactAudit) {
		var e wire.AuditEntry
		if err := json.Unmarshal(f.Data, &e); err != nil {
			t.Fatal(err)
		}
		if want := wire.ChainAudit(head, e); e.Prev != head || e.Hash != want.Hash {
			t.Fatalf("entry %s does not follow %q", e.ID, head)
		}
		head = e.Hash
		n++
	}
	return head, n
}

func TestTheAuditIsOneChainOverARestart(t *testing.T) {
	facts := &memoryFacts{}
	a := NewAuditor(facts, "")
	for i := range 4 {
		if i == 2 { // a later core
			head, _ := facts.chain(t)
			a = NewAuditor(facts, head)
		}
		if err := a.Audit(t.Context(), deed(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	// A refusal leaves the chain where it was.
	facts.refusing(errRefused, wire.FactAudit)
	if a.Audit(t.Context(), deed("refused")) == nil {
		t.Error("an entry that is not durable is said to be")
	}
	facts.refusing(nil)
	if err := a.Audit(t.Context(), deed("4")); err != nil {
		t.Fatal(err)
	}
	if _, n := facts.chain(t); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
}

func TestAfterAnUncertainEntryNothingIsChanged(t *testing.T) {
	facts := &memoryFacts{}
	a := NewAuditor(facts, "")
	facts.refusing(ErrUncertain, wire.FactAudit)
	if a.Audit(t.Context(), deed("1")) == nil {
		t.Fatal("an entry that may be durable is said to be")
	}
	facts.refusing(nil)
	if a.Audit(t.Context(), deed("2")) == nil {
		t.Error("an entry was written that may fork the chain")
	}
	if _, n := facts.chain(t); n > 0 {
		t.Errorf("%d entries", n)
	}
}
