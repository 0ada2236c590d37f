package meshcore

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"mesh30k/meshcore/wire"
)

func TestACoreThatEndsLeavesNothingRunning(t *testing.T) {
	b := newBench(t, 2)
	before := goleak.IgnoreCurrent() // the broker's
	memory := twoHosts()
	memory.Operations = []OpenOperation{{Operation: operationTo("op1", time.Now(), time.Hour, 0, 1, 2)}}
	b.start(memory)
	asked := make(chan error, 1)
	go func() { // an operation that does not end, for a caller who does not leave
		_, err := b.core.Broadcast(t.Context(), operationTo("op2", time.Now(), time.Hour, 3), nil)
		asked <- err
	}()
	b.eventually("both are under way", func() (bool, string) {
		return len(b.core.ops.openIDs()) == 2, "not yet"
	})
	b.end()
	if err := await(t, "the caller's answer", asked); err != nil {
		t.Error(err)
	}
	if n := len(b.facts.of(wire.FactCoreStopped)); n != 1 {
		t.Errorf("%d facts of the end", n)
	}
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1")); err != nil {
		t.Error(err)
	}
}
