package meshcore

import (
	"testing"

	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

// link is a message of a stream as the chain sees it.
type link struct {
	subject       string
	seq, previous uint64
}

// drawStream makes a stream as a ledger writes it.
func drawStream(t *rapid.T) []link {
	var stream []link
	last := map[string]uint64{}
	for seq := range uint64(rapid.IntRange(1, 40).Draw(t, "messages")) {
		subject := rapid.SampledFrom([]string{wire.SubjectFactKeep, wire.SubjectFactLog}).Draw(t, "subject")
		stream = append(stream, link{subject, seq + 1, last[subject]})
		last[subject] = seq + 1
	}
	return stream
}

// walk reads a stream, of which some are missing, from the one after a sequence.
func walk(stream []link, after, purged uint64, missing func(link) bool) *CorruptError {
	c := newChain(after)
	for _, l := range stream {
		if l.seq <= after || missing(l) {
			continue
		}
		if err := c.add(l.subject, l.seq, l.previous, purged); err != nil {
			return err
		}
	}
	n := noted{purged: purged}
	for _, l := range stream {
		if l.subject == wire.SubjectFactKeep {
			n.keep = l.seq
		}
	}
	return c.end(stream[len(stream)-1].seq, n)
}

// Whatever retention took, reading from anywhere is no damage; any other
// message that is missing is, wherever it stood, and Resume leads behind it.
func TestChainTellsRetentionFromDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := drawStream(t)
		end := uint64(len(stream))
		purged := rapid.Uint64Range(0, end).Draw(t, "purged")
		after := rapid.Uint64Range(0, end).Draw(t, "after")
		retained := func(l link) bool { return l.subject == wire.SubjectFactLog && l.seq < purged }
		if err := walk(stream, after, purged, retained); err != nil {
			t.Fatalf("retention before %d, read after %d: %v", purged, after, err)
		}
		lost := rapid.SampledFrom(stream).Draw(t, "lost")
		damaged := func(l link) bool { return retained(l) || l == lost }
		err := walk(stream, after, purged, damaged)
		if want := lost.seq > after && !retained(lost); (err != nil) != want {
			t.Fatalf("%+v is missing, read after %d, retention before %d: %v", lost, after, purged, err)
		}
		if err == nil || err.Resume == 0 {
			return
		}
		if err.Resume <= after || err.Resume > end {
			t.Fatalf("%v: resuming at %d is no way on", err, err.Resume)
		}
		if again := walk(stream, err.Resume, purged, damaged); again != nil {
			t.Fatalf("resumed after %d: %v", err.Resume, again)
		}
	})
}

func TestChainRefusesWhatIsNotOfTheLedger(t *testing.T) {
	for name, l := range map[string]link{
		"another subject":      {"m.fact.other", 6, 5},
		"a sequence again":     {wire.SubjectFactKeep, 5, 4},
		"itself as the last":   {wire.SubjectFactKeep, 6, 6},
		"a message forgotten":  {wire.SubjectFactKeep, 6, 4},
		"none before it":       {wire.SubjectFactKeep, 6, 0},
		"sequences left out":   {wire.SubjectFactKeep, 8, 5},
		"one after its own":    {wire.SubjectFactKeep, 6, 9},
		"a log never read too": {wire.SubjectFactLog, 7, 6},
	} {
		c := newChain(4)
		if err := c.add(wire.SubjectFactKeep, 5, 4, 0); err != nil {
			t.Fatal(err)
		}
		if err := c.add(l.subject, l.seq, l.previous, 0); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
