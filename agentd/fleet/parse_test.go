package fleet

import (
	"strings"
	"testing"

	"mesh30k/meshcore/wire"
)

func TestTheExampleIsTheDefault(t *testing.T) {
	p, err := Parse(Example)
	if err != nil {
		t.Fatal(err)
	}
	if p != Default() {
		t.Error("parsing fleet.example.yaml gives another profile than Default")
	}
	for _, c := range wire.Classes {
		if got, want := p.Classes.Of(c).Share, float64(c.Allocation()); got != want {
			t.Errorf("class %s: share %v; 2.2 has %v", c, got, want)
		}
		if got, want := p.Classes.Of(c).Service.BaseMS, c.BaseMS(); got != want {
			t.Errorf("class %s: base_ms %v; 3.1 has %v", c, got, want)
		}
	}
}

func TestAShortFileChangesOnlyWhatItNames(t *testing.T) {
	p, err := Parse([]byte("loss: {probability: 0.25}\nclasses:\n  D:\n    service:\n      tail: {index: 2.5}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Loss.Probability, want.Classes.D.Service.Tail.Index = 0.25, 2.5
	if p != want {
		t.Errorf("got %+v\nwant %+v", p, want)
	}
}

func TestAnEmptyFileIsTheDefault(t *testing.T) {
	for _, file := range []string{"", "\n", "# nothing\n", "---\n", "loss:\n", "classes:\n  A:\n"} {
		if p, err := Parse([]byte(file)); err != nil || p != Default() {
			t.Errorf("%q: err %v; want the default", file, err)
		}
	}
}

func TestAWrongFileIsRefusedWithItsLine(t *testing.T) {
	tests := []struct {
		name, file string
		want       []string
	}{
		{"unknown key", "loss:\n  probabilty: 0.1\n", []string{"line 2", "probabilty", "fleet.example.yaml"}},
		{"unknown class", "classes:\n  G:\n    share: 1\n", []string{"line 2", "G"}},
		{"duplicate key", "loss:\n  probability: 0\n  probability: 1\n", []string{"line 3", "probability"}},
		{"text for a number", "\nloss:\n  probability: much\n", []string{"line 3"}},
		{"share over 1", "loss:\n  probability: 1.5\n", []string{"line 2", "loss.probability", "1.5", "0 to 1"}},
		{"negative", "classes:\n  A:\n    service:\n      base_ms: -3\n", []string{"line 4", "classes.A.service.base_ms", "-3"}},
		{"not a number", "classes:\n  A:\n    service:\n      base_ms: .nan\n", []string{"line 4", "classes.A.service.base_ms"}},
		{"infinite", "churn: {down_max_s: .inf}\n", []string{"line 1", "churn.down_max_s"}},
		{"range upside down", "classes:\n  B:\n    network:\n      median_ms: [150, 50]\n", []string{"line 4", "low at most high"}},
		{"range of three", "classes:\n  B:\n    network:\n      median_ms: [1, 2, 3]\n", []string{"line 4", "[low, high]"}},
		{"range of one", "classes:\n  B:\n    network:\n      median_ms: [1]\n", []string{"line 4", "[low, high]"}},
		{"tail index 0", "classes:\n  C:\n    service:\n      tail: {index: 0}\n", []string{"line 4", "tail.index", "0.5 to 100"}},
		{"tail with max under from", "classes:\n  C:\n    service:\n      tail:\n        max: 1.5\n", []string{"line 5", "tail.max"}},
		{"no shares", "classes:\n  A: {share: 0}\n  B: {share: 0}\n  C: {share: 0}\n  D: {share: 0}\n  E: {share: 0}\n  F: {share: 0}\n", []string{"classes", "over 0"}},
		{"alias", "loss: &x {probability: 0}\nchurn: *x\n", []string{"line 1", "anchors"}},
		{"two documents", "loss: {probability: 0}\n---\nloss: {probability: 1}\n", []string{"one"}},
		{"no YAML", "loss: [\n", []string{"line"}},
		{"a list", "- 1\n- 2\n", []string{"line 1"}},
		{"too large", strings.Repeat("#", MaxProfile+1), []string{"limit"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.file))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
		})
	}
}

func TestCountsSumUpAndKeepTheProportion(t *testing.T) {
	p := Default()
	for _, n := range []int{1, 6, 7, 300, 999, 30_000, 100_000} {
		sum := 0
		for _, k := range p.Counts(n) {
			sum += k
		}
		if sum != n {
			t.Errorf("%d agents: the classes sum up to %d", n, sum)
		}
	}
	for _, c := range wire.Classes {
		if got := p.Counts(30_000)[c]; got != c.Allocation() {
			t.Errorf("class %s of 30,000: %d; 2.2 has %d", c, got, c.Allocation())
		}
	}
}

// Whatever a file holds: it is refused, or every agent of it can live.
func FuzzParse(f *testing.F) {
	f.Add([]byte("loss: {probability: 0.25}\n"))
	f.Add([]byte("classes: {A: {network: {median_ms: [0, 600000]}}}\n"))
	f.Add([]byte("classes: {B: {service: {tail: {probability: 1, index: 0.5, max: 100000}}}}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? x\n: - y\n"))
	f.Add([]byte("loss:\n\t- 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		for _, c := range wire.Classes {
			liveABit(t, NewAgent(NewModel(&p, c, 100), 1, "sim-1"))
		}
	})
}
