package meshcore

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"mesh30k/meshcore/wire"
)

// texts are those of the facts so far, in order.
func (m *memoryFacts) texts() (all []string) {
	m.each(func(f wire.Fact) { all = append(all, f.Text) })
	return all
}

func scribbling(t *testing.T, facts *memoryFacts, f func(s *scribe)) {
	synctest.Test(t, func(*testing.T) {
		s := newScribe(facts, slog.New(slog.DiscardHandler))
		go s.run()
		defer s.close()
		f(s)
	})
}

func TestWhatIsNotWrittenIsNotAcknowledged(t *testing.T) {
	facts := &memoryFacts{}
	facts.refusing(errRefused, wire.FactCrash)
	scribbling(t, facts, func(s *scribe) {
		var said []string
		for i := range 3 {
			s.write([]wire.Fact{logFact(fmt.Sprint("refused ", i))}, func(durable []wire.Fact, err error) {
				said = append(said, fmt.Sprint(len(durable), err == nil))
			})
			synctest.Wait()
		}
		facts.refusing(nil)
		s.write([]wire.Fact{logFact("one"), logFact("two")}, func(durable []wire.Fact, err error) {
			said = append(said, fmt.Sprint(len(durable), err == nil))
		})
		synctest.Wait()
		if want := []string{"0 false", "0 false", "0 false", "2 true"}; !slices.Equal(said, want) {
			t.Errorf("acknowledged %q, want %q", said, want)
		}
	})
	if is := facts.texts(); !slices.Equal(is, []string{"one", "two"}) {
		t.Errorf("written: %q", is)
	}
}

func TestFactsAreWrittenInTheOrderInWhichTheyCame(t *testing.T) {
	facts := &memoryFacts{}
	var want []string
	scribbling(t, facts, func(s *scribe) {
		var done []uint64
		for i := range 2500 { // more than one message of the stream holds
			want = append(want, fmt.Sprint(i))
			s.write([]wire.Fact{logFact(want[i])}, func(durable []wire.Fact, _ error) { done = append(done, durable[0].Seq) })
		}
		synctest.Wait()
		if len(done) != 2500 || !slices.IsSorted(done) {
			t.Errorf("%d callbacks, in order: %v", len(done), slices.IsSorted(done))
		}
	})
	if !slices.Equal(facts.texts(), want) {
		t.Error("the order is another")
	}
}

func TestWhoInsistsIsWrittenOnceTheDiskHasRoom(t *testing.T) {
	facts := &memoryFacts{}
	facts.refusing(errRefused, wire.FactCrash)
	scribbling(t, facts, func(s *scribe) {
		done := 0
		s.insist([]wire.Fact{logFact("must be")}, func() { done++ })
		time.Sleep(time.Minute)
		synctest.Wait()
		if done > 0 {
			t.Error("said to be written, and is not")
		}
		facts.refusing(nil)
		time.Sleep(2 * insistEvery)
		synctest.Wait()
		if done != 1 {
			t.Errorf("called back %d times", done)
		}
	})
	if is := facts.texts(); !slices.Equal(is, []string{"must be"}) {
		t.Errorf("written: %q", is)
	}
}
