package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ending is a child that has ended with this error after a while.
type ending struct {
	done chan struct{}
	err  error
}

func (e *ending) Done() <-chan struct{} { return e.done }

func (e *ending) failure(string) error { return e.err }

// lives keeps a child that ends as told, life after life; the last one stays.
// It returns when each life began, what keep returned, and what was noted.
func lives(t *testing.T, all ...life) (began []time.Duration, notes []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		k := keeper{
			up: func() {}, note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) },
			start: func(context.Context) (child, error) {
				n := len(began)
				began = append(began, time.Since(start))
				if n >= len(all) {
					return &ending{done: make(chan struct{})}, nil
				}
				if all[n].never {
					return nil, all[n].ends
				}
				e := &ending{done: make(chan struct{}), err: all[n].ends}
				time.AfterFunc(all[n].after, func() { close(e.done) })
				return e, nil
			},
		}
		err = k.keep(ctx)
	})
	return began, notes, err
}

type life struct {
	after time.Duration
	ends  error
	never bool // it does not come up
}

var (
	errPort = errors.New("port taken")
	errShot = fmt.Errorf("ended (%w)", errKilled)
)

func TestAKilledChildIsStartedAgainLaterAndLater(t *testing.T) {
	var all []life
	for range 8 {
		all = append(all, life{ends: errShot})
	}
	began, notes, err := lives(t, all...)
	want := []time.Duration{0, 1, 3, 7, 15, 31, 61, 91, 121}
	if err != nil || len(began) != len(want) {
		t.Fatalf("%d lives, %v; want %d", len(began), err, len(want))
	}
	for i := range want {
		if began[i] != want[i]*time.Second {
			t.Errorf("life %d began after %v, want %v", i+1, began[i], want[i]*time.Second)
		}
	}
	if len(notes) != 8 || !strings.Contains(notes[0], "started again after 1s") {
		t.Errorf("noted: %q", notes)
	}
}

func TestWhoHasLivedForAWhileIsStartedAgainAtOnce(t *testing.T) {
	began, _, err := lives(t, life{ends: errShot}, life{ends: errShot}, life{after: time.Minute, ends: errPort}, life{ends: errPort})
	// 0, +1 s, +2 s, then a minute and the first delay again, then the second.
	if want := []time.Duration{0, 1, 3, 64, 66}; err != nil || len(began) != 5 || began[3] != want[3]*time.Second || began[4] != want[4]*time.Second {
		t.Errorf("lives began after %v, %v; want %v seconds", began, err, want)
	}
}

func TestAChildThatCannotStartEndsTheSupervision(t *testing.T) {
	if began, _, err := lives(t, life{never: true, ends: errPort}); !errors.Is(err, errPort) || len(began) != 1 {
		t.Errorf("%d lives, %v; want one", len(began), err)
	}
}

func TestAChildThatEndsAtOnceByItselfEndsTheSupervision(t *testing.T) {
	began, _, err := lives(t, life{ends: errShot}, life{ends: errPort}, life{never: true, ends: errPort}, life{ends: errPort})
	if !errors.Is(err, errPort) || len(began) != 4 {
		t.Errorf("%d lives, %v; want four: one that was killed, three that ended", len(began), err)
	}
}
