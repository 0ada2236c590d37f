package meshcore

import "time"

// The core suspects itself before it suspects the fleet (rulings, "Acting").
const (
	doubtFor   = 30 * time.Second // it holds state so long at most
	doubtShare = 0.5              // … when less than this share of the living was heard of late
	startShare = 0.95             // … than this share, when it has just started and they have yet to come
	doubtMin   = 10               // agents below which silence says nothing about the core; one is enough when it has just started
)

// suspicion decides whether the core doubts itself. It reads no clock and does
// nothing; doubt.go acts on it.
type suspicion struct {
	since   time.Time // of the doubt; zero: none
	over    bool      // the silence is believed: no doubt again before it has ended
	greeted bool      // the first doubt, of a core that has just started, is over
}

// judgement is what has come of the core's suspicion.
type judgement int

const (
	trusts   judgement = iota // it hears who it should, or has believed the silence
	doubts                    // it begins to doubt itself
	holds                     // it still does
	relieved                  // it does no more: they are heard again
	believes                  // it has doubted long enough
)

// judge takes in how many agents were heard of late, of those that should have
// been.
func (s *suspicion) judge(now time.Time, expected, heard int) judgement {
	doubting := s.holding()
	switch {
	case !s.silent(expected, heard):
		s.since, s.over = time.Time{}, false
		s.greeted = s.greeted || expected >= s.least()
		if doubting {
			return relieved
		}
		return trusts
	case s.over:
		return trusts
	case !doubting:
		s.since = now
		return doubts
	case now.Sub(s.since) >= doubtFor:
		s.over, s.greeted = true, true
		return believes
	default:
		return holds
	}
}

// silent reports whether so few were heard that it may be the core's own fault.
func (s *suspicion) silent(expected, heard int) bool {
	share := doubtShare
	if !s.greeted {
		share = startShare
	}
	return expected >= s.least() && float64(heard) < share*float64(expected)
}

// least is how many agents must be expected for their silence to mean anything.
func (s *suspicion) least() int {
	if s.greeted {
		return doubtMin
	}
	return 1
}

// holding reports whether the core doubts itself now.
func (s *suspicion) holding() bool { return !s.since.IsZero() && !s.over }

// until is when the doubt ends at the latest; zero: there is none.
func (s *suspicion) until() time.Time {
	if !s.holding() {
		return time.Time{}
	}
	return s.since.Add(doubtFor)
}

// expectsSilent reports whether an agent that is taken for silent should have
// been heard: by a core that has just started, which takes everyone for silent.
func (s *suspicion) expectsSilent() bool { return !s.greeted && !s.over }
