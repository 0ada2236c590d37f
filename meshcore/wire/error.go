package wire

import "fmt"

// Code is why something was refused: a closed set, so that programs can act on it.
type Code string

// The codes.
const (
	CodeBadMessage     Code = "bad_message"     // cannot be decoded, or out of range
	CodeVersion        Code = "version"         // another major version
	CodeTokenUsed      Code = "token_used"      // a join token counts once
	CodeTokenUnknown   Code = "token_unknown"   // never issued here, or expired
	CodeOtherMesh      Code = "other_mesh"      // an agent of another mesh
	CodeDuplicate      Code = "duplicate"       // a name that is taken
	CodeFull           Code = "full"            // no free place
	CodeQueueFull      Code = "queue_full"      // the agent's bounded queue
	CodeExpired        Code = "expired"         // time to live ran out
	CodeCapability     Code = "capability"      // the agent cannot do this
	CodeHandler        Code = "handler_refused" // the agent's program refused (exit 69)
	CodeTaskError      Code = "task_error"      // the agent's program failed; a result, not a failure of the agent
	CodeTooLarge       Code = "too_large"       // payload over the limit
	CodeDraining       Code = "draining"        // the host is going away
	CodeNotEnrolled    Code = "not_enrolled"    // no such agent here
	CodeForbidden      Code = "forbidden"       // role or read-only
	CodeStalePlan      Code = "stale_plan"      // the plan expired or what it showed has changed
	CodeUnknownTarget  Code = "unknown_target"  // cannot exist in this topology
	CodeNothingMatched Code = "nothing_matched" // could exist, is not there
	CodeNotYet         Code = "not_in_this_version"
	CodeUnreachable    Code = "unreachable" // said by a client: no core answers
	CodeInternal       Code = "internal"
)

// Error refuses a request. As a Go error it says what was tried, what was wrong
// and what to do next.
type Error struct {
	Header
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Unknown
}

// Errorf makes an Error without a hint.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Header: Head(TypeError), Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint adds what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Check implements [Message].
func (e *Error) Check() error {
	var c checks
	e.Message, e.Hint = Clean(e.Message), Clean(e.Hint)
	c.word("code", string(e.Code))
	return c.err
}
