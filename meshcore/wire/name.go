package wire

import (
	"fmt"
	"regexp"
)

// MaxName is the longest name of an agent, host, mesh, person or label, in bytes.
const MaxName = 63

// CoreName is the core's own: no host, person or token may have it, since
// replies to the core go to the inbox of that name.
const CoreName = "core"

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// CheckName returns an error unless s may name an agent, host, mesh, person,
// sector or cluster: [a-z][a-z0-9-]{0,62}. Names become tokens of subjects and
// parts of permission templates, where `*` and `>` would stand for others.
func CheckName(kind, s string) error {
	if namePattern.MatchString(s) {
		return nil
	}
	return fmt.Errorf("%s name %q: want a lower-case letter, then up to 62 letters, digits or '-'", kind, Clean(s))
}

var capabilityPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckCapability returns an error unless s may name a capability:
// [a-z][a-z0-9_-]{0,62}, such as llm_inference.
func CheckCapability(s string) error {
	if capabilityPattern.MatchString(s) {
		return nil
	}
	return fmt.Errorf("capability %q: want a lower-case letter, then up to 62 letters, digits, '_' or '-'", Clean(s))
}
