package wire

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// What every message goes through is read by hand; the patterns say what is
// meant.
func TestWhatIsReadByHandIsReadAsThePatternsSay(t *testing.T) {
	name, capability := regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`), regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.StringMatching(`[a-z][a-z0-9-]{0,64}`),
			rapid.StringMatching(`[a-zA-Z0-9_.*>\- ä]{0,5}`),
		).Draw(t, "name")
		if got, want := CheckName("agent", s) == nil, name.MatchString(s); got != want {
			t.Fatalf("%q is a name: %v, want %v", s, got, want)
		}
		if got, want := CheckCapability(s) == nil, capability.MatchString(s); got != want {
			t.Fatalf("%q is a capability: %v, want %v", s, got, want)
		}
		s = rapid.StringMatching(`[0-9]{0,11}(\.[0-9]{0,2}){0,4}x?`).Draw(t, "address")
		if a, ok := parsePlain(s); ok {
			m := plain.FindStringSubmatch(s)
			if m == nil {
				t.Fatalf("%q was read as %v", s, a)
			}
			want := Address{placeNumber(m[1]), placeNumber(m[2]), placeNumber(m[3])}
			if a != want || a.Sector == 0 {
				t.Fatalf("%q was read as %v, want %v", s, a, want)
			}
		}
	})
	for _, s := range []string{"7", "7.4", "7.4.12", "1000000000.1"} {
		if a, ok := parsePlain(s); !ok || a.String() != s {
			t.Errorf("%q is left to the patterns", s)
		}
	}
}
