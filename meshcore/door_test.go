package meshcore

import (
	"testing"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

func TestTheDoorRefusesAtOnceWhatIsTooMuch(t *testing.T) {
	b := newBench(t, 1)
	b.start(Memory{})
	inside, release := make(chan string, 2*doorLimit), make(chan struct{})
	b.opens(func(_ int, person string) {
		inside <- person
		<-release
	})
	alice := b.person("alice")
	ask := &wire.Do{Header: wire.Head(wire.TypeDo), ID: "x", Step: wire.StepRead, Action: []byte(`{"action":"status"}`)}
	answers := make(chan *nats.Msg, 2*doorLimit)
	inbox := wire.InboxPrefix("alice") + ".answers"
	if _, err := alice.ChanSubscribe(inbox, answers); err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		if err := alice.PublishMsg(&nats.Msg{Subject: wire.SubjectPerson("alice"), Reply: inbox, Data: wire.Encode(ask)}); err != nil {
			t.Fatal(err)
		}
	}
	outcome := func() (out wire.Outcome) {
		t.Helper()
		if err := wire.Decode(await(t, "an answer", answers).Data, wire.TypeOutcome, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for range doorLimit {
		send()
	}
	for range doorLimit {
		if who := await(t, "a request under way", inside); who != "alice" {
			t.Fatalf("asked by %s", who)
		}
	}
	send()
	if out := outcome(); out.Verdict != wire.WasRefused {
		t.Errorf("request 1,025: %s %s", out.Verdict, out.Text)
	}
	close(release)
	for range doorLimit {
		if out := outcome(); out.Verdict != wire.Done {
			t.Fatalf("one of the 1,024: %s %s", out.Verdict, out.Text)
		}
	}
	send()
	if out := outcome(); out.Verdict != wire.Done {
		t.Errorf("when there is room again: %s %s", out.Verdict, out.Text)
	}
}
