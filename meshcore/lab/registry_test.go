package lab_test

import (
	"testing"

	"mesh30k/meshcore/lab"
)

func TestBenchRegistryHasAFigureForEverySize(t *testing.T) {
	figures, ratios, err := lab.BenchRegistry([]int{300, 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"read_ns", "topk_us", "ingest_ns", "bytes_per_agent"} {
		for _, size := range []string{"_300", "_1k"} {
			if figures[name+size] <= 0 {
				t.Errorf("%s%s is %v", name, size, figures[name+size])
			}
		}
	}
	for _, name := range []string{"read_over_map", "read_1k_to_300", "topk_1k_to_300", "ingest_1k_to_300", "bytes_1k_to_300"} {
		if ratios[name] <= 0 {
			t.Errorf("%s is %v", name, ratios[name])
		}
	}
	if len(figures) != 8 || len(ratios) != 5 {
		t.Errorf("%d figures, %d ratios", len(figures), len(ratios))
	}
}

func TestBenchRegistryRefusesAbsurdSizes(t *testing.T) {
	for _, n := range []int{-1, 0, 300_001} {
		if _, _, err := lab.BenchRegistry([]int{n}); err == nil {
			t.Errorf("%d agents were accepted", n)
		}
	}
}
