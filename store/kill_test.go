package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"mesh30k/meshcore/wire"
)

// writeForEver makes this test binary the process that is killed.
const writeForEver = "STORE_TEST_WRITE_FOR_EVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writeForEver); dir != "" {
		childWrites(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// endless is the stream message of a sequence, always the same.
func endless(seq uint64) Batch {
	y := newStory()
	id := fmt.Sprint("op", seq)
	y.tell(started(id, wire.Targets{{Sector: 7, Agents: bits(1, 2)}}), delivered(id, 7, wire.Worked, bits(1)), crash("bee", "pi", seat(7, 4, 1)), ended(id))
	return Batch{seq, y.batches[0].Facts}
}

// childWrites applies messages and says, a line each, which are applied.
func childWrites(dir string) {
	ctx := context.Background()
	s, err := Open(ctx, dir, Options{})
	for err == nil {
		seq := s.Cursor() + 1
		if err = s.ApplyMany(ctx, []Batch{endless(seq)}); err == nil {
			_, err = fmt.Println(seq)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// killAfter lets a child write, kills it once it has said that many lines, and
// returns the last message that it said to be applied.
func killAfter(t *testing.T, dir string, lines int) (acknowledged uint64) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), writeForEver+"="+dir)
	child.Stderr = os.Stderr
	out := try[io.ReadCloser](t)(child.StdoutPipe())
	must(t, child.Start())
	said := bufio.NewScanner(out)
	for n := 0; said.Scan(); n++ {
		acknowledged = try[uint64](t)(strconv.ParseUint(said.Text(), 10, 64))
		if n == lines {
			must(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // it was killed
	return acknowledged
}

func TestAKilledWriterLosesNothingThatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round, lines := range []int{0, 1, 57, 333, 1200} {
		acknowledged := killAfter(t, dir, lines)
		s := open(t, dir, Options{Notice: func(text string) { t.Errorf("said %q", text) }})
		cursor := s.Cursor()
		if acknowledged == 0 || cursor < acknowledged {
			t.Errorf("round %d: cursor %d, acknowledged %d", round, cursor, acknowledged)
		}
		got := dump(t, s)
		must(t, s.Close())

		control := open(t, filepath.Join(t.TempDir(), fmt.Sprint(round)), Options{})
		for seq := range cursor {
			apply(t, control, endless(seq+1))
		}
		if dump(t, control) != got {
			t.Errorf("round %d: what is there is not what cursor %d says", round, cursor)
		}
		must(t, control.Close())
	}
}
