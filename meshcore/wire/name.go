package wire

import "fmt"

// MaxName is the longest name of an agent, host, mesh, person or label, in bytes.
const MaxName = 63

// CoreName is the core's own: no host, person or token may have it, since
// replies to the core go to the inbox of that name.
const CoreName = "core"

// CheckName returns an error unless s may name an agent, host, mesh, person,
// sector or cluster: [a-z][a-z0-9-]{0,62}. Names become tokens of subjects and
// parts of permission templates, where `*` and `>` would stand for others.
func CheckName(kind, s string) error {
	if isName(s, false) {
		return nil
	}
	return fmt.Errorf("%s name %q: want a lower-case letter, then up to 62 letters, digits or '-'", kind, Clean(s))
}

// isName reports whether s is a lower-case letter followed by up to 62 letters,
// digits, '-' and, where they are allowed, '_'. It is no regular expression
// because every id of every heartbeat and ACK comes by here.
func isName(s string, underscores bool) bool {
	if s == "" || len(s) > MaxName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_' && underscores:
		default:
			return false
		}
	}
	return true
}

// CheckCapability returns an error unless s may name a capability:
// [a-z][a-z0-9_-]{0,62}, such as llm_inference.
func CheckCapability(s string) error {
	if isName(s, true) {
		return nil
	}
	return fmt.Errorf("capability %q: want a lower-case letter, then up to 62 letters, digits, '_' or '-'", Clean(s))
}
