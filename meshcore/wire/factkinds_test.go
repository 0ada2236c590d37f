package wire

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// A kind that is declared and not listed could be neither asked for nor completed.
func TestFactKindsListsEveryDeclaredKind(t *testing.T) {
	source, err := os.ReadFile("fact.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`FactKind = "([a-z.]+)"`).FindAllSubmatch(source, -1)
	if len(found) < 20 {
		t.Fatalf("fact.go declares %d kinds: the pattern of this test is out of date", len(found))
	}
	for _, m := range found {
		if !slices.Contains(FactKinds[:], FactKind(m[1])) {
			t.Errorf("FactKinds lacks %q", m[1])
		}
	}
}
