package agentd

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"mesh30k/meshcore/wire"
)

var journalStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func mustOpen(t rapid.TB, dir string, now time.Time) *journal {
	t.Helper()
	j, damaged, err := openJournal(dir, false, now)
	if err != nil || damaged > 0 {
		t.Fatalf("open: %v, %d damaged", err, damaged)
	}
	return j
}

func testMessage(id string, ttl time.Duration) *wire.MeshMessage {
	payload := []byte(`{"a":1}`)
	return &wire.MeshMessage{MessageID: id, TTLMS: ms(ttl), Payload: payload, PayloadHash: wire.HashPayload(payload), PayloadWeight: 2, Verb: wire.Act}
}

// known is what had been flushed, and so may have been acknowledged, when the
// file had a size.
type known struct {
	size     int64
	received map[deliveryKey]bool
	begun    map[deliveryKey]bool
	final    map[deliveryKey]wire.DeliveryState
}

// TestAKilledHostForgetsNothingThatItAcknowledged does anything with a journal,
// kills it at any byte of its file, and opens it again.
func TestAKilledHostForgetsNothingThatItAcknowledged(t *testing.T) {
	root := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		dir := filepath.Join(root, fmt.Sprint(run))
		j := mustOpen(t, dir, journalStart)
		defer j.close()
		j.file.atMost = rapid.Int64Range(500, 20_000).Draw(t, "compact at")
		points := actAtWill(t, j)

		data, err := os.ReadFile(filepath.Join(dir, journalName))
		if err != nil {
			t.Fatal(err)
		}
		cut := rapid.Int64Range(points[0].size, int64(len(data))).Draw(t, "killed at byte")
		last := points[0]
		for _, p := range points {
			if p.size <= cut {
				last = p
			}
		}
		killed := filepath.Join(root, fmt.Sprint(run, "-killed"))
		if err := os.MkdirAll(killed, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(killed, journalName), data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // what the first opening wrote anew says the same
			again := mustOpen(t, killed, journalStart.Add(time.Second))
			last.check(t, again)
			if err := again.close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// actAtWill receives, begins, ends and flushes, and returns what was known at
// each flush since the file was last written anew.
func actAtWill(t *rapid.T, j *journal) []known {
	now := journalStart
	state := known{received: map[deliveryKey]bool{}, begun: map[deliveryKey]bool{}, final: map[deliveryKey]wire.DeliveryState{}}
	var open []*delivery
	points := []known{state.at(j.file.size)}
	for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
		switch rapid.SampledFrom([]string{"receive", "begin", "begin", "end", "end", "flush"}).Draw(t, "step") {
		case "receive":
			agents := []string{"a-01", "a-02", "a-03"}[:rapid.IntRange(1, 3).Draw(t, "agents")]
			for _, d := range j.receive(testMessage(fmt.Sprint("m", step), time.Hour), testCluster, agents, now) {
				open = append(open, d)
				state.received[d.deliveryKey] = true
			}
		case "begin":
			if len(open) > 0 {
				d := rapid.SampledFrom(open).Draw(t, "which")
				j.begin(d, now)
				state.begun[d.deliveryKey] = true
			}
		case "end":
			if len(open) > 0 {
				i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				o := outcome{processingMS: float64(step)}
				if rapid.Bool().Draw(t, "answer") {
					o.answer = jsontext.Value(`"a\nb"`)
				}
				j.end(open[i], wire.Worked, o, now)
				state.final[open[i].deliveryKey] = wire.Worked
				open = append(open[:i:i], open[i+1:]...)
			}
		case "flush":
			file := j.file.file
			if err := j.flush(now); err != nil {
				t.Fatal(err)
			}
			if j.file.file != file {
				points = nil // written anew: older sizes mean nothing
			}
			points = append(points, state.at(j.file.size))
		}
	}
	return points
}

func (k known) at(size int64) known {
	c := known{size, map[deliveryKey]bool{}, map[deliveryKey]bool{}, map[deliveryKey]wire.DeliveryState{}}
	for key := range k.received {
		c.received[key] = true
	}
	for key := range k.begun {
		c.begun[key] = true
	}
	maps.Copy(c.final, k.final)
	return c
}

func (k known) check(t *rapid.T, j *journal) {
	for key := range k.received {
		d := j.find(key.message, key.agent)
		switch {
		case d == nil:
			t.Fatalf("%v was acknowledged and is lost", key)
		case k.final[key] != 0 && d.state != k.final[key]:
			t.Fatalf("%v was %s and would be worked again: it is %s", key, k.final[key], d.state)
		case k.begun[key] && !d.begun && !d.state.Final():
			t.Fatalf("%v was begun, and a second time would not be known as such", key)
		case !d.state.Final() && (d.message == nil || string(d.message.Payload) != `{"a":1}` || d.message.PayloadWeight != 2):
			t.Fatalf("%v has lost its message: %+v", key, d.message)
		}
	}
}

func TestTimeToLivePassesWhileTheHostIsDownButNotWhileFrozen(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, journalStart)
	j.receive(testMessage("m1", 10*time.Second), testCluster, []string{"a-01", "a-02"}, journalStart)
	j.freeze(testCluster, wire.FrozenState{Seq: 1, Agents: []string{"a-01"}}, journalStart.Add(2*time.Second))
	if err := j.flush(journalStart); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	for _, pass := range []time.Duration{6 * time.Second, 100 * time.Second} {
		now := journalStart.Add(pass)
		j = mustOpen(t, dir, now)
		if left := j.find("m1", "a-01").left(now, 0); left != 8*time.Second {
			t.Errorf("after %s the frozen one has %s left, want 8s", pass, left)
		}
		if left := j.find("m1", "a-02").left(now, 0); left != 10*time.Second-pass {
			t.Errorf("after %s the other has %s left", pass, left)
		}
		if f := j.frozen[testCluster]; f.Seq != 1 || !f.Frozen("a-01") {
			t.Errorf("the freeze is forgotten: %+v", f)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheJournalIsBounded(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, journalStart)
	j.bound = 50
	big := strings.Repeat("x", 1000)
	for i := range 3000 {
		now := journalStart.Add(time.Duration(i) * time.Second)
		d := j.receive(testMessage(fmt.Sprint("m", i), time.Second), testCluster, []string{"a-01"}, now)[0]
		j.begin(d, now)
		j.end(d, wire.Worked, outcome{answer: TextAnswer(big)}, now)
		if err := j.flush(now); err != nil {
			t.Fatal(err)
		}
	}
	j.forget(journalStart.Add(3000 * time.Second))
	if len(j.deliveries) > 50 || len(j.waiting) > 0 {
		t.Errorf("%d deliveries are remembered, %d agents wait", len(j.deliveries), len(j.waiting))
	}
	if j.find("m2999", "a-01") == nil || j.find("m2900", "a-01") != nil {
		t.Error("not the oldest were forgotten")
	}
	info, err := os.Stat(filepath.Join(dir, journalName))
	if err != nil || info.Size() > 2*compactAtLeast {
		t.Errorf("the file has %d bytes after 3 MB were written (%v)", info.Size(), err)
	}
	j.forget(journalStart.Add(3000*time.Second + 2*keepFinal))
	if len(j.deliveries) > 0 {
		t.Errorf("%d deliveries outlived their hour", len(j.deliveries))
	}
}

func TestStartsAndReturnsAreCountedOverRestarts(t *testing.T) {
	dir := t.TempDir()
	for n := uint64(1); n <= 3; n++ {
		j := mustOpen(t, dir, journalStart)
		j.start(journalStart)
		if r := j.returned("a-01", journalStart); j.incarnation != n || r != n {
			t.Errorf("start %d: incarnation %d, returns %d", n, j.incarnation, r)
		}
		if err := j.flush(journalStart); err != nil {
			t.Fatal(err)
		}
		if err := j.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoProcessesCannotShareAJournal(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, journalStart)
	defer j.close()
	if _, _, err := openJournal(dir, false, journalStart); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("the second opening: %v", err)
	}
}

func TestADamagedLineIsCountedAndTheRestIsRead(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, journalStart)
	for i := range 3 {
		j.receive(testMessage(fmt.Sprint("m", i), time.Hour), testCluster, []string{"a-01"}, journalStart)
	}
	if err := j.flush(journalStart); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, journalName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = []byte(strings.Replace(string(data), `"m1"`, `"mX"`, 1))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, damaged, err := openJournal(dir, false, journalStart)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if damaged != 1 || j.find("m0", "a-01") == nil || j.find("m1", "a-01") != nil || j.find("m2", "a-01") == nil {
		t.Errorf("%d damaged; %v", damaged, j.deliveries)
	}
}

// FuzzJournal: no file makes a host fall over, and what was read can be written
// and read again.
func FuzzJournal(f *testing.F) {
	j := newJournal()
	j.file = &journalFile{}
	j.start(journalStart)
	d := j.receive(testMessage("m1", time.Hour), testCluster, []string{"a-01", "a-02"}, journalStart)
	j.begin(d[0], journalStart)
	j.end(d[0], wire.InConflict, outcome{detail: &wire.ConflictDetail{Type: "x"}}, journalStart)
	j.freeze(testCluster, wire.FrozenState{Seq: 3, All: true}, journalStart)
	j.returned("a-02", journalStart)
	var seed []byte
	for i := range j.pending {
		var err error
		if seed, err = appendRecord(seed, &j.pending[i]); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add([]byte("00000000 {}\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		now := journalStart.Add(time.Second)
		first := newJournal()
		first.replay(data, now)
		var spelled []byte
		for _, r := range first.snapshot(now) {
			var err error
			if spelled, err = appendRecord(spelled, &r); err != nil {
				t.Fatal(err)
			}
		}
		second := newJournal()
		if damaged := second.replay(spelled, now); damaged > 0 {
			t.Fatalf("%d lines that were written cannot be read", damaged)
		}
		if len(second.finals) != len(first.finals) || len(second.inOrder()) != len(first.inOrder()) {
			t.Fatalf("%d and %d became %d and %d", len(first.finals), len(first.inOrder()), len(second.finals), len(second.inOrder()))
		}
	})
}

func TestAPlainRecordIsSpelledAsJSONSpellsIt(t *testing.T) {
	plain := 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z0-9"\\ ä-]{0,8}`)
		r := record{
			Kind: rapid.SampledFrom([]recordKind{recordBegun, recordFinal}).Draw(t, "kind"),
			AtMS: rapid.Int64Range(0, 1<<50).Draw(t, "at"), ID: text.Draw(t, "id"),
			Agents: rapid.SliceOf(rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`)).Draw(t, "agents"),
			LeftMS: rapid.Float64Range(1e-3, 1e9).Draw(t, "left"), Code: wire.Code(text.Draw(t, "code")),
			ProcessingMS: rapid.Float64Range(1e-5, 1e9).Draw(t, "processing"), Again: rapid.Bool().Draw(t, "again"),
		}
		if rapid.Bool().Draw(t, "final") {
			state := rapid.SampledFrom([]wire.DeliveryState{wire.Worked, wire.Refused}).Draw(t, "state")
			r.State = &state
		}
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		line, err := appendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		if got := line[sumSize : len(line)-1]; string(got) != string(want) {
			t.Fatalf("spelled %s\nwant    %s", got, want)
		}
		if r.plain() {
			plain++
		}
	})
	if plain == 0 {
		t.Error("no record was plain: the test shows nothing")
	}
}

// While the journal is renewed, a host that dies has it whole in one file or the
// other.
func TestAJournalIsRenewedWithoutStandingStill(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir, journalStart)
	note := func(id string) {
		t.Helper()
		m := &wire.MeshMessage{MessageID: id, TTLMS: 60_000}
		j.receive(m, testCluster, []string{"a-01"}, journalStart)
		if err := j.flush(journalStart); err != nil {
			t.Fatal(err)
		}
	}
	j.file.atMost = 0 // the next write is one too many
	note("before")
	if j.file.next == nil {
		t.Fatal("the journal is not being renewed")
	}
	note("meanwhile")
	old, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for n := 0; j.file.next != nil; n++ {
		if time.Now().After(deadline) {
			t.Fatal("the new file is never taken")
		}
		note(fmt.Sprintf("later-%d", n))
	}
	note("after")
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, journalStart)
	for _, id := range []string{"before", "meanwhile", "after"} {
		if again.find(id, "a-01") == nil {
			t.Errorf("%s is not in the renewed journal", id)
		}
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, journalName), old, 0o600); err != nil {
		t.Fatal(err)
	}
	killed := mustOpen(t, dir, journalStart)
	defer func() { _ = killed.close() }()
	for _, id := range []string{"before", "meanwhile"} {
		if killed.find(id, "a-01") == nil {
			t.Errorf("%s is not in the journal of a host that was killed meanwhile", id)
		}
	}
}
