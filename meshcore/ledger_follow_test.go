package meshcore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

func TestFollowGoesOn(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, logFact("before"))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan wire.Fact, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 0, func(_ uint64, facts []wire.Fact) error {
			for _, f := range facts {
				got <- f
			}
			return nil
		})
	}()
	want := func(text string) {
		t.Helper()
		select {
		case f := <-got:
			if f.Text != text {
				t.Fatalf("the follower was given %q, want %q", f.Text, text)
			}
		case <-time.After(testWait):
			t.Fatalf("the follower was not given %q", text)
		case err := <-ended:
			t.Fatalf("the follower ended: %v", err)
		}
	}
	want("before")
	for i := range 20 {
		text := fmt.Sprint("live ", i)
		mustAppend(t, l, logFact(text))
		want(text)
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow ended with %v", err)
		}
	case <-time.After(testWait):
		t.Error("Follow does not end with its context")
	}
}

func TestFollowOutlivesTheBroker(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	mustAppend(t, l, keepFact("before"))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 0, func(_ uint64, facts []wire.Fact) error {
			got <- facts[0].Text
			return nil
		})
	}()
	next := func(want string) {
		t.Helper()
		select {
		case text := <-got:
			if text != want {
				t.Fatalf("the follower was given %q, want %q", text, want)
			}
		case err := <-ended:
			t.Fatalf("before %q the follower ended: %v", want, err)
		case <-time.After(3 * testWait):
			t.Fatalf("the follower was not given %q", want)
		}
	}
	next("before")
	port := portOf(t, b)
	b.Close()
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Port: port, Log: b.log.log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	mustAppend(t, l, keepFact("after"))
	next("after")
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the follower ended with: %v", err)
	}
}

func TestFollowPassesOnTheErrorOfItsReader(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, logFact("one"))
	mine := errors.New("mine")
	if err := l.Follow(t.Context(), 0, func(uint64, []wire.Fact) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("Follow gives %v", err)
	}
}

// A broker that is away for a while costs time, not facts; one that stays away
// is an error, and nothing is told twice when it returns.
func TestAppendWaitsForTheBroker(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{Patience: 200 * time.Millisecond})
	mustAppend(t, l, keepFact("before"))
	port := portOf(t, b)
	b.Close()
	if _, err := l.Append(t.Context(), keepFact("lost")); !errors.Is(err, ErrUncertain) {
		t.Fatalf("without a broker an Append gives %v", err)
	}
	b, err := StartBroker(BrokerOptions{Keyring: keys, StoreDir: dir, Port: port, Log: b.log.log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	eventually(t, "an Append succeeds again", func() bool {
		_, err := l.Append(t.Context(), keepFact("after"))
		return err == nil
	})
	read, _ := replayAll(t, l, 0)
	seen := map[string]int{}
	for _, f := range read {
		seen[f.Text]++
	}
	if seen["before"] != 1 || seen["after"] != 1 || seen["lost"] > 1 {
		t.Errorf("the facts are %v", seen)
	}
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	end := time.After(testWait)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("in %v it did not come to be that %s", testWait, what)
		}
	}
}

func portOf(t *testing.T, b *Broker) int {
	t.Helper()
	var port int
	if _, err := fmt.Sscanf(b.URL(), "nats://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}
