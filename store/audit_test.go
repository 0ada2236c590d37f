package store

import (
	"strings"
	"testing"

	"mesh30k/meshcore/wire"
)

func TestTheDatabaseRefusesToChangeTheAudit(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	apply(t, s, aMesh().batches...)
	want := dump(t, s)
	for _, attempt := range []string{
		"UPDATE audit SET person = 'eve'",
		"UPDATE audit SET hash = '' WHERE seq = 5001",
		"DELETE FROM audit",
		"DELETE FROM audit WHERE seq = 5001",
		"INSERT OR REPLACE INTO audit VALUES (5001, 0, 'eve', '', '', '{}')",
		"INSERT INTO audit VALUES (5001, 0, 'eve', '', '', '{}') ON CONFLICT DO UPDATE SET person = 'eve'",
		"UPDATE fact SET actor = 'eve' WHERE kind = 'audit'",
		"DELETE FROM fact WHERE kind = 'audit'",
		"DELETE FROM fact WHERE kind = 'freeze'",
	} {
		if _, err := s.history.conn.ExecContext(t.Context(), attempt); err == nil {
			t.Errorf("the database let %q happen", attempt)
		}
	}
	if dump(t, s) != want {
		t.Error("an attempt changed something")
	}
	if broken := try[uint64](t)(s.VerifyAudit(t.Context())); broken != 0 {
		t.Errorf("broken at %d", broken)
	}
}

// Whoever can write the file can drop the guards; the chain then tells.
func TestTheChainTellsWhatWasTamperedWith(t *testing.T) {
	for name, c := range map[string]struct {
		tamper string
		broken uint64
	}{
		"nothing":                     {"", 0},
		"an entry rewritten":          {"UPDATE audit SET entry = replace(entry, 'ada', 'eve') WHERE seq = 6001", 6001},
		"its columns rewritten":       {"UPDATE audit SET hash = prev WHERE seq = 6001", 6001},
		"its place rewritten":         {"UPDATE audit SET prev = hash WHERE seq = 6001", 6001},
		"an entry deleted":            {"DELETE FROM audit WHERE seq = 6001", 15000},
		"the first deleted":           {"DELETE FROM audit WHERE seq = 5001", 6001},
		"an entry that is no entry":   {"UPDATE audit SET entry = 'x' WHERE seq = 5001", 5001},
		"two entries exchanged":       {"UPDATE audit SET seq = 1 WHERE seq = 6001", 1},
		"the last deleted: not found": {"DELETE FROM audit WHERE seq = 15000", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := opened(t, t.TempDir(), Options{})
			apply(t, s, aMesh().batches...)
			_, err := s.history.conn.ExecContext(t.Context(),
				"DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted; "+c.tamper)
			must(t, err)
			if broken := try[uint64](t)(s.VerifyAudit(t.Context())); broken != c.broken {
				t.Errorf("broken at %d, want %d", broken, c.broken)
			}
		})
	}
}

func TestReadingTheAudit(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	y := aMesh()
	apply(t, s, y.batches...)
	for name, c := range map[string]struct {
		q    AuditQuery
		want string
	}{
		"all, newest first": {AuditQuery{}, "eve ada ada"},
		"of one person":     {AuditQuery{Person: "ada"}, "ada ada"},
		"the latest":        {AuditQuery{Limit: 1}, "eve"},
		"of a time":         {AuditQuery{Since: y.batches[5].Facts[1].At, Until: y.now}, "ada"},
		"of nobody":         {AuditQuery{Person: "mallory"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range try[[]AuditRecord](t)(s.Audit(t.Context(), c.q)) {
				got = append(got, r.Person)
				if r.Hash == "" || r.At.IsZero() || r.Seq == 0 {
					t.Errorf("incomplete: %+v", r)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	facts := try[[]wire.Fact](t)(s.History(t.Context(), wire.HistoryQuery{Kind: wire.FactAudit}))
	if len(facts) != 3 || !strings.Contains(string(facts[0].Data), `"person":"eve"`) {
		t.Errorf("as facts: %+v", facts)
	}
}
