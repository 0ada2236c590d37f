package meshcore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

func TestStreamHasAnIDOfItsOwn(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{MaxAge: time.Hour})
	appendMixed(t, l, 3, 1)
	if _, err := l.Retain(t.Context(), time.Now().Add(2*time.Hour), 0); err != nil { // it writes beside the id
		t.Fatal(err)
	}
	id := l.ID()
	l.Close()
	b.Close()
	again := openTestLedger(t, connectTestCore(t, startTestBroker(t, keys, dir)), LedgerOptions{})
	if other := newTestLedger(t, LedgerOptions{}); id == "" || again.ID() != id || other.ID() == id {
		t.Errorf("the stream's id is %q, after a restart %q, that of another stream %q", id, again.ID(), other.ID())
	}
}

// Bytes of the stream's file that change on the disk are said, with the
// sequence; what lies before is given, and what lies behind can be had.
func TestDamageOnTheDiskIsSaid(t *testing.T) {
	keys, dir := newTestKeyring(t, 1), t.TempDir()
	b := startTestBroker(t, keys, dir)
	l := openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	for i := range 20 {
		mustAppend(t, l, keepFact(fmt.Sprintf("fact-%02d", i)))
	}
	l.Close()
	b.Close()
	spoil(t, dir, "fact-09")

	b = startTestBroker(t, keys, dir)
	l = openTestLedger(t, connectTestCore(t, b), LedgerOptions{})
	var read []string
	collect := func(_ uint64, facts []wire.Fact) error {
		read = append(read, texts(facts)...)
		return nil
	}
	_, err := l.Replay(t.Context(), 0, collect)
	damage := (*CorruptError)(nil)
	if !errors.As(err, &damage) || damage.Seq != 10 {
		t.Fatalf("Replay gives %v, want damage at sequence 10", err)
	}
	if len(read) != 9 {
		t.Errorf("%d facts lie before the damage, %d were given", 9, len(read))
	}
	if _, err := l.Replay(t.Context(), damage.Resume, collect); err != nil {
		t.Errorf("behind the damage Replay gives %v", err)
	}
	if len(read) != 19 || read[18] != "fact-19" {
		t.Errorf("with the rest %d facts can be read: %v", len(read), read)
	}
}

// spoil changes bytes of the stream's files where text stands.
func spoil(t *testing.T, dir, text string) {
	t.Helper()
	done := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".blk" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if i := strings.Index(string(data), text); i >= 0 {
			data[i] = '!'
			done = true
			return os.WriteFile(path, data, 0o600)
		}
		return nil
	})
	if err != nil || !done {
		t.Fatalf("%s is not on the disk (%v)", text, err)
	}
}

// A reader whose place lies behind the stream's end has seen facts that are
// gone, such as after a backup was put back.
func TestReaderAheadOfTheStreamIsSaid(t *testing.T) {
	l := newTestLedger(t, LedgerOptions{})
	mustAppend(t, l, keepFact("one"))
	_, err := l.Replay(t.Context(), 5, func(uint64, []wire.Fact) error { return nil })
	if damage := (*CorruptError)(nil); !errors.As(err, &damage) || damage.Seq != 2 {
		t.Errorf("Replay after 5 of a stream that ends at 1 gives %v", err)
	}
}

func TestForeignMessagesAreSaid(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{})
	if _, err := nc.Request(wire.SubjectFactLog, []byte("not a batch"), testWait); err != nil {
		t.Fatal(err)
	}
	_, err := l.Replay(t.Context(), 0, func(uint64, []wire.Fact) error { return nil })
	if damage := (*CorruptError)(nil); !errors.As(err, &damage) || damage.Seq != 1 {
		t.Errorf("Replay of a message that no ledger wrote gives %v", err)
	}
}

func TestNewerFactsAreNotTouched(t *testing.T) {
	b := startTestBroker(t, newTestKeyring(t, 1), t.TempDir())
	nc := connectTestCore(t, b)
	l := openTestLedger(t, nc, LedgerOptions{})
	config := l.stream.CachedInfo().Config
	config.Metadata[metaFormat] = "2"
	if _, err := l.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(t.Context(), nc, LedgerOptions{}); !errors.Is(err, ErrNewer) {
		t.Errorf("opening facts of a newer version gives %v", err)
	}
}
