package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/go-json-experiment/json"
)

// auditDomain opens what is hashed, so that no hash of anything else can be
// passed off as one of the audit.
const auditDomain = "mesh30k audit 1\n"

// ChainAudit returns e as the entry that follows the one whose Hash is prev
// ("" for the first): with Prev, and with Hash, the SHA-256 in lower-case hex of
//
//	"mesh30k audit 1\n" prev "\n" entry
//
// where entry is the entry's JSON as this package spells it, with an empty hash.
// It panics if the entry cannot be spelled: an Action that is no JSON is a fault
// of the program.
func ChainAudit(prev string, e AuditEntry) AuditEntry {
	e.Prev, e.Hash = prev, ""
	text, err := json.Marshal(e, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("wire: an audit entry cannot be encoded: %v", err))
	}
	h := sha256.New()
	h.Write([]byte(auditDomain + prev + "\n"))
	h.Write(text)
	e.Hash = hex.EncodeToString(h.Sum(nil))
	return e
}
