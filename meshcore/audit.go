package meshcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// Auditor writes the audit: a chain of entries, each with the hash of the one
// before, so that none can be altered or left out unseen.
type Auditor struct {
	facts  factWriter
	mu     sync.Mutex
	head   string
	broken error // where the chain ends is not known
}

// NewAuditor continues the chain whose last entry has the hash head; empty: it
// begins.
func NewAuditor(facts factWriter, head string) *Auditor { return &Auditor{facts: facts, head: head} }

// Audit makes an entry durable. Entries are written one after the other: each
// needs the hash of the last.
func (a *Auditor) Audit(ctx context.Context, e wire.AuditEntry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e = wire.ChainAudit(a.head, e)
	if a.broken != nil {
		return a.broken
	}
	if _, err := a.facts.Append(ctx, wire.Fact{
		At: time.Now(), Kind: wire.FactAudit, Actor: e.Person, Text: auditText(&e), Data: encodeData(e),
	}); err != nil {
		err = fmt.Errorf("the audit entry is not durable, so nothing is done: %w", err)
		if errors.Is(err, ErrUncertain) {
			// It may be there all the same: the next entry would fork the chain.
			a.broken = fmt.Errorf("%w; changes are refused until the core has been restarted and reads where the audit ends", err)
		}
		return err
	}
	a.head = e.Hash
	return nil
}

// auditText is an entry in a line: "cecilia, execute freeze sector=7: done".
func auditText(e *wire.AuditEntry) string {
	var action struct {
		Name   string `json:"action"`
		Target string `json:"target"`
	}
	_ = json.Unmarshal(e.Action, &action) // what cannot be read was refused, and is said so
	text := fmt.Sprintf("%s, %s %s", e.Person, e.Step, action.Name)
	if action.Target != "" {
		text += " " + action.Target
	}
	text += ": " + string(e.Verdict)
	if e.Reason != "" {
		text += ", " + e.Reason
	}
	return wire.Clean(text)
}
