package meshcore

import (
	"fmt"

	"mesh30k/meshcore/wire"
)

// chain follows the links of the stream's messages. Each message names the one
// of its subject before it: the sequence that the writer told the broker to
// expect, which the stream keeps as a header. A link to a message that is not
// there is damage, unless retention took it.
type chain struct {
	after uint64            // reading began after this sequence
	seq   uint64            // last sequence read
	last  map[string]uint64 // last sequence read, by subject
}

func newChain(after uint64) *chain {
	return &chain{after: after, seq: after, last: map[string]uint64{}}
}

// add takes the next message of the stream. purged is the sequence before
// which messages of kind "log" may be missing.
func (c *chain) add(subject string, seq, previous, purged uint64) *CorruptError {
	known := c.last[subject]
	begins := known == 0 && previous <= c.after
	expired := subject == wire.SubjectFactLog && previous > known && previous < purged
	switch {
	case subject != wire.SubjectFactKeep && subject != wire.SubjectFactLog:
		return &CorruptError{Seq: seq, Resume: seq, Reason: fmt.Sprintf("a message on %q is not of this ledger", wire.Clean(subject))}
	case seq <= c.seq:
		return &CorruptError{Seq: seq, Resume: c.seq, Reason: fmt.Sprintf("it was read after sequence %d", c.seq)}
	case previous >= seq:
		return &CorruptError{Seq: seq, Resume: seq, Reason: fmt.Sprintf("it claims to follow sequence %d", previous)}
	case previous != known && !begins && !expired:
		missing := previous
		if previous < known {
			missing = seq // it forgets one that is there: itself is wrong
		}
		return &CorruptError{Seq: missing, Resume: seq - 1, Reason: fmt.Sprintf("sequence %d follows %d on %s, which cannot be read", seq, previous, subject)}
	}
	c.seq, c.last[subject] = seq, seq
	return nil
}

// end checks that reading came to the stream's last sequence.
func (c *chain) end(last, purged uint64) *CorruptError {
	if c.after > last {
		return &CorruptError{Seq: last + 1, Reason: fmt.Sprintf("the stream ends at sequence %d, but %d was read before", last, c.after)}
	}
	if last > c.seq && last >= purged {
		return &CorruptError{Seq: c.seq + 1, Reason: fmt.Sprintf("the stream ends at sequence %d, but nothing after %d can be read", last, c.seq)}
	}
	return nil
}
