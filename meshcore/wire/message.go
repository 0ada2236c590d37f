package wire

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Type names a message; it is the member "type" of each.
type Type string

// The messages that are sent, by who speaks.
const (
	// Host to core.
	TypeJoin      Type = "JOIN"
	TypeHello     Type = "HELLO"
	TypeHeartbeat Type = "HEARTBEAT"
	TypeAck       Type = "ACK"
	TypeReport    Type = "REPORT"

	// Core to host.
	TypeJoined       Type = "JOINED"
	TypeWelcome      Type = "WELCOME"
	TypeHeartbeatAck Type = "HEARTBEAT_ACK"
	TypeReported     Type = "REPORTED"
	TypeCoordinate   Type = "COORDINATE"
	TypeFreeze       Type = "FREEZE"
	TypeThaw         Type = "THAW"
	TypeInject       Type = "INJECT" // emulated agents only
	TypeError        Type = "ERROR"

	// Core to consoles.
	TypeBlock         Type = "BLOCK"
	TypeSectorSummary Type = "SECTOR_SUMMARY"
	TypeGlobalStats   Type = "GLOBAL_STATS"
	TypeFeed          Type = "FEED"

	// Whoever was invited to act on the mesh, and the core's answer.
	TypePersonJoin   Type = "PERSON_JOIN"
	TypePersonJoined Type = "PERSON_JOINED"

	// The action plane.
	TypeDo       Type = "DO"
	TypePlan     Type = "PLAN"
	TypeProgress Type = "PROGRESS"
	TypeOutcome  Type = "OUTCOME"

	// Within the core.
	TypeShardOrder  Type = "SHARD_ORDER"
	TypeShardReport Type = "SHARD_REPORT"
)

// Reserved are names of the specification (Appendix B, 2.4, 5.1, 6.2) and of
// this design that no version sends yet. A program that receives one ignores it.
var Reserved = [...]Type{"CIRCUIT", "FIRE", "CANCEL", "TASK", "PROGRESS_TASK", "CONFLICT_RESOLVED", "PROBE"}

// Header opens every message.
type Header struct {
	Type Type    `json:"type"`
	V    Version `json:"v"`
}

// Head makes the header of a message of type t in the current version.
func Head(t Type) Header { return Header{t, Current} }

func (h Header) header() Header { return h }

// Unknown keeps the members of a message that this version does not know, so
// that what is decoded and encoded again has lost nothing.
type Unknown struct {
	Members jsontext.Value `json:",embed"`
}

// Message is one of this package's messages.
type Message interface {
	header() Header
	// Check returns an error that names the member unless all are in range.
	Check() error
}

// Limits of what is decoded. A message over MaxPayload is not even parsed.
const (
	MaxPayload = 1 << 20  // bytes of one message; the broker's limit too
	MaxBody    = 64 << 10 // bytes of a MeshMessage's payload or an answer; larger ones go by reference
	MaxWord    = 128      // bytes of an id, a code or a hash
	MaxCount   = 10_000_000
)

// ErrVersion is wrapped by [Decode] when the other side speaks another major
// version.
var ErrVersion = errors.New("other protocol version")

// spelling is how every message is written: members of maps in order, strings
// of raw values as they came. White space of raw values is dropped.
var spelling = json.JoinOptions(json.Deterministic(true), jsontext.PreserveRawStrings(true))

// Encode spells m. It panics on a message that cannot be spelled (NaN, invalid
// UTF-8 in a name): that is a fault of the program, not of its input.
func Encode(m Message) []byte {
	data, err := json.Marshal(m, spelling)
	if err != nil {
		panic(fmt.Sprintf("wire: %s cannot be encoded: %v", m.header().Type, err))
	}
	return data
}

// Decode reads data into m, whose type must be want, and checks it. Unknown
// members are kept; duplicate members, invalid UTF-8, another type, another
// major version and values out of range are errors. After an error m holds
// nothing that may be used.
func Decode(data []byte, want Type, m Message) error {
	if len(data) > MaxPayload {
		return fmt.Errorf("%s: %d bytes is over the limit of %d", want, len(data), MaxPayload)
	}
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("%s: %w", want, versionFirst(data, err))
	}
	h := m.header()
	if h.Type != want {
		return fmt.Errorf("want a message of type %s, got %q", want, Clean(string(h.Type)))
	}
	if err := h.V.speaks(); err != nil {
		return fmt.Errorf("%s: %w", want, err)
	}
	if err := m.Check(); err != nil {
		return fmt.Errorf("%s: %w", want, err)
	}
	return nil
}

// versionFirst tells the true reason why data does not fit a message: in
// another major version a member may have another type.
func versionFirst(data []byte, err error) error {
	var h Header
	if json.Unmarshal(data, &h) != nil {
		return err
	}
	return cmp.Or(h.V.speaks(), err)
}

func (v Version) speaks() error {
	if Current.Speaks(v) {
		return nil
	}
	return fmt.Errorf("%w: it speaks %s, this program %s", ErrVersion, v, Current)
}

// PeekType reads only the type of a message; whether the rest of it is one is
// for [Decode] to say.
func PeekType(data []byte) (Type, error) {
	if len(data) > MaxPayload {
		return "", fmt.Errorf("message: %d bytes is over the limit of %d", len(data), MaxPayload)
	}
	if t, ok := firstMember(data); ok {
		return t, nil
	}
	var h Header
	if err := json.Unmarshal(data, &h); err != nil {
		return "", fmt.Errorf("message: %w", err)
	}
	return h.Type, nil
}

// firstMember finds the type where [Encode] puts it.
func firstMember(data []byte) (Type, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`))
	if !ok {
		return "", false
	}
	for i, c := range rest {
		switch {
		case c == '"':
			return Type(rest[:i]), i > 0
		case (c < 'A' || c > 'Z') && c != '_':
			return "", false
		}
	}
	return "", false
}
