package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/wire"
)

// PlanLife is how long a plan may be executed.
const PlanLife = 60 * time.Second

// maxPlans bounds the plans that are kept of one person; the oldest goes first.
const maxPlans = 16

// planBook keeps the plans that were made, each with its set, until they expire.
type planBook struct {
	mu    sync.Mutex
	plans map[string]*kept
}

// kept is a plan as the dispatcher remembers it.
type kept struct {
	hash    string
	person  string
	action  string // canonical
	set     wire.Targets
	count   int
	wide    bool
	expires time.Time
	shown   *wire.Plan
}

// add keeps a plan, and lets go of what has expired.
func (b *planBook) add(k *kept, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own, oldest := 0, (*kept)(nil)
	for hash, other := range b.plans {
		switch {
		case now.After(other.expires):
			delete(b.plans, hash)
		case other.person == k.person:
			own++
			if oldest == nil || other.expires.Before(oldest.expires) {
				oldest = other
			}
		}
	}
	if own >= maxPlans {
		delete(b.plans, oldest.hash)
	}
	b.plans[k.hash] = k
}

// planHash binds a confirmation to the person, the action, the set of agents and
// this very plan. 64 bits are enough: a plan lives for a minute and counts only
// for the person who was shown it.
func planHash(k *kept) string {
	set, err := json.Marshal(k.set, json.Deterministic(true))
	if err != nil {
		panic("console: a set of agents cannot be spelled: " + err.Error())
	}
	h := sha256.New()
	for _, part := range []string{k.person, k.action, string(set), k.expires.UTC().Format(time.RFC3339Nano), rand.Text()} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// check finds the plan of a hash if person may execute this action by it now.
func (b *planBook) check(hash, person, action string, typed int, now time.Time) (*kept, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.find(hash, person, action, now)
	if err != nil {
		return nil, err
	}
	if k.wide && typed != k.count {
		return nil, wire.Errorf(wire.CodeForbidden, "this concerns %s and the number typed was %s", plural(k.count, "agent"), thousands(typed)).
			WithHint("type the number that the plan shows")
	}
	return k, nil
}

func (b *planBook) find(hash, person, action string, now time.Time) (*kept, error) {
	k := b.plans[hash]
	switch {
	case hash == "":
		return nil, stale("nothing is changed without the hash of a plan")
	case k == nil || k.person != person:
		return nil, stale("there is no plan %s of yours, or it has been executed", clip(hash))
	case now.After(k.expires):
		return nil, stale("plan %s has expired: a plan holds for %s", clip(hash), durationText(PlanLife))
	case k.action != action:
		return nil, stale("plan %s is of another action: %s", clip(hash), clip(k.action))
	}
	return k, nil
}

// again finds a plan of person's that still holds, to show it once more.
func (b *planBook) again(hash, person, action string, now time.Time) (*wire.Plan, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, err := b.find(hash, person, action, now)
	if err != nil {
		return nil, err
	}
	return k.shown, nil
}

// take removes a plan: it counts once. It reports whether the plan was there.
func (b *planBook) take(hash string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.plans[hash]
	delete(b.plans, hash)
	return ok
}

func stale(format string, args ...any) error {
	return wire.Errorf(wire.CodeStalePlan, format, args...).WithHint("plan it again and execute what is shown")
}

// added counts the agents of now that were not in planned.
func added(now, planned wire.Targets) (n int) {
	for _, s := range now {
		left := s.Agents.Clone()
		left.AndNot(planned.Sector(s.Sector))
		n += left.Len()
	}
	return n
}
