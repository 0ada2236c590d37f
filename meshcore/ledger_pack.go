package meshcore

import "mesh30k/meshcore/wire"

const (
	// batchBytes is how much one message of the stream gathers. A write is
	// synced to the disk and costs about the same up to this size.
	batchBytes = 64 << 10
	// messageOverhead is about what the stream adds to a message on the disk.
	messageOverhead = 160
)

// message is one message of the stream in the making.
type message struct {
	subject string
	slots   []slot
	size    int
}

// slot is a fact's place in a message: fact index of owner.
type slot struct {
	owner *pending
	index int
}

func (m *message) room(size int) bool {
	return len(m.slots) == 0 || len(m.slots) < wire.FactsPerMessage && m.size+size <= batchBytes
}

// pack arranges a group's facts in as few messages as it can, of one subject
// each, such that the facts of one Append stand in the order given. Between
// Appends that wait at the same time there is no order to keep.
func pack(group []*pending) []*message {
	var messages []*message
	for _, p := range group {
		p.left = len(p.facts)
		at := 0 // no fact of p may stand in a message before this one
		for i := range p.facts {
			at = place(&messages, at, p, i)
		}
	}
	return messages
}

// place puts fact i of p into the first message from at on that has room for
// it, and returns which one that is.
func place(messages *[]*message, at int, p *pending, i int) int {
	subject := wire.SubjectFactLog
	if p.facts[i].Kind.Keep() {
		subject = wire.SubjectFactKeep
	}
	for ; at < len(*messages); at++ {
		if m := (*messages)[at]; m.subject == subject && m.room(p.sizes[i]) {
			break
		}
	}
	if at == len(*messages) {
		*messages = append(*messages, &message{subject: subject})
	}
	m := (*messages)[at]
	m.slots = append(m.slots, slot{p, i})
	m.size += p.sizes[i] + 1
	return at
}
