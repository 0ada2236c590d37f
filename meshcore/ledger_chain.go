package meshcore

import (
	"fmt"

	"mesh30k/meshcore/wire"
)

// chain notices when a message of the stream is missing. Sequences leave no gap,
// except where retention has taken messages of kind "log". There the links tell:
// each message names the one of its subject before it, the sequence that the
// writer told the broker to expect, which the stream keeps as a header. So every
// missing message that retention did not take is noticed.
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
	damage := func(at, resume uint64, format string, args ...any) *CorruptError {
		return &CorruptError{Seq: at, Resume: resume, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case subject != wire.SubjectFactKeep && subject != wire.SubjectFactLog:
		return damage(seq, seq, "a message on %q is not of this ledger", wire.Clean(subject))
	case seq <= c.seq:
		return damage(seq, c.seq, "it was read after sequence %d", c.seq)
	case previous >= seq || previous < known:
		return damage(seq, seq, "it claims to follow sequence %d on %s, but %d does", previous, subject, known)
	case previous != known && !begins && !expired:
		return damage(previous, seq-1, "sequence %d follows it on %s, but it cannot be read", seq, subject)
	case seq > c.seq+1 && seq > purged:
		return damage(max(c.seq+1, purged), seq-1, "sequence %d can be read, those before it cannot", seq)
	}
	c.seq, c.last[subject] = seq, seq
	return nil
}

// noted is what retention has written down about the stream.
type noted struct {
	purged uint64 // facts of kind "log" before this sequence may be missing
	keep   uint64 // sequence of the last fact of kind "keep" at that time
}

// end checks that reading came to the stream's last sequence.
func (c *chain) end(last uint64, n noted) *CorruptError {
	switch {
	case c.after > last:
		return &CorruptError{Seq: last + 1, Reason: fmt.Sprintf("the stream ends at sequence %d, but %d was read before", last, c.after)}
	case last > c.seq && last >= n.purged:
		return &CorruptError{Seq: max(c.seq+1, n.purged), Reason: fmt.Sprintf("the stream ends at sequence %d, but nothing after %d can be read", last, c.seq)}
	case n.keep > max(c.after, c.last[wire.SubjectFactKeep]):
		return &CorruptError{Seq: n.keep, Reason: "it is to be kept for ever, but it cannot be read"}
	}
	return nil
}
