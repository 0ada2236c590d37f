package wire

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

func TestChainAuditBindsAnEntryToItsPredecessor(t *testing.T) {
	e := AuditEntry{ID: "d1", Person: "ada", Role: Operator, Step: StepExecute, Action: jsontext.Value(`{"action":"freeze"}`), Verdict: Done}
	first := ChainAudit("", e)
	if first.Prev != "" || len(first.Hash) != 64 {
		t.Fatalf("first entry: prev %q, hash %q", first.Prev, first.Hash)
	}
	second := ChainAudit(first.Hash, e)
	if second.Prev != first.Hash || second.Hash == first.Hash {
		t.Fatalf("the same entry at another place must have another hash: %q, %q", first.Hash, second.Hash)
	}
	if again := ChainAudit(first.Hash, second); again.Hash != second.Hash {
		t.Fatalf("an entry that is chained already hashes alike: %q, %q", again.Hash, second.Hash)
	}
}

func TestChainAuditCoversEveryMember(t *testing.T) {
	base := AuditEntry{ID: "d1", Person: "ada", Role: Operator, Step: StepExecute, Action: jsontext.Value(`{}`), Verdict: Done}
	for name, change := range map[string]func(*AuditEntry){
		"id":        func(e *AuditEntry) { e.ID = "d2" },
		"person":    func(e *AuditEntry) { e.Person = "eve" },
		"role":      func(e *AuditEntry) { e.Role = Observer },
		"step":      func(e *AuditEntry) { e.Step = StepPlan },
		"action":    func(e *AuditEntry) { e.Action = jsontext.Value(`{"x":1}`) },
		"plan_hash": func(e *AuditEntry) { e.PlanHash = "f" },
		"targets":   func(e *AuditEntry) { e.Targets = 1 },
		"verdict":   func(e *AuditEntry) { e.Verdict = WasRefused },
		"reason":    func(e *AuditEntry) { e.Reason = "because" },
	} {
		changed := base
		change(&changed)
		if ChainAudit("p", changed).Hash == ChainAudit("p", base).Hash {
			t.Errorf("changing %s leaves the hash as it was", name)
		}
	}
}

// The hash is verified over what was stored, decoded and spelled again.
func TestChainAuditSurvivesTheStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		action := rapid.SampledFrom([]string{
			`{"action":"freeze","target":"mesh"}`, `{ "action" : "broadcast",` + "\n" + `"payload": "\u0041\u00e9\ud83d\ude00<&>" }`,
			`{"n":9007199254740993,"x":1e400,"y":-0.0,"z":1.50}`, `[ ]`, `"\/"`,
		}).Draw(t, "action")
		e := ChainAudit(rapid.StringMatching("[0-9a-f]{64}").Draw(t, "prev"), AuditEntry{
			ID: rapid.String().Draw(t, "id"), Person: "ada", Action: jsontext.Value(action), Reason: rapid.String().Draw(t, "reason"),
		})
		stored, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read AuditEntry
		if err := json.Unmarshal(stored, &read); err != nil {
			t.Fatal(err)
		}
		if got := ChainAudit(read.Prev, read).Hash; got != e.Hash {
			t.Fatalf("read back as %s, the hash is %s, it was %s", stored, got, e.Hash)
		}
	})
}
