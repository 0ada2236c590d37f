package auth

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
)

func newKeyring(t testing.TB, sectors int) *Keyring {
	t.Helper()
	k, err := NewKeyring("garden", sectors)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func userKey(t testing.TB) (publicKey, seed string) {
	t.Helper()
	publicKey, seed, err := NewUserKey()
	if err != nil {
		t.Fatal(err)
	}
	return publicKey, seed
}

func TestKeyringIsTheSameAfterLoading(t *testing.T) {
	k, path := newKeyring(t, 3), filepath.Join(t.TempDir(), "keyring.json")
	for range 2 { // the second replaces the first
		if err := k.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Mesh() != "garden" || loaded.Sectors() != 3 {
		t.Errorf("it is of mesh %s with %d sectors", loaded.Mesh(), loaded.Sectors())
	}
	theirs := loaded.pairs()
	for i, p := range k.pairs() {
		if public(*p.pair) != public(*theirs[i].pair) {
			t.Errorf("key %s is another one", p.name)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has %v (%v), want 0600", info.Mode(), err)
	}
}

func TestLoadKeyringRefuses(t *testing.T) {
	k, path := newKeyring(t, 2), filepath.Join(t.TempDir(), "keyring.json")
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	user, seed := userKey(t)
	_ = user
	account := public(k.account)
	for _, c := range []struct {
		name string
		edit func(string) string
		mode os.FileMode
		kind error
		says string
	}{
		{"readable by all", same, 0o644, nil, "chmod 600"},
		{"readable by the group", same, 0o640, nil, "chmod 600"},
		{"newer", replace(`"format": 1`, `"format": 2`), 0o600, ErrNewer, "format 2"},
		{"no format", replace(`"format": 1`, `"format": 0`), 0o600, nil, "damaged"},
		{"cut short", func(s string) string { return s[:len(s)/2] }, 0o600, nil, "damaged"},
		{"key missing", replace(`"system"`, `"gone"`), 0o600, nil, "key system: the seed is missing"},
		{"key altered", func(s string) string { return strings.Replace(s, "SA", "SB", 1) }, 0o600, nil, "seed"},
		{"key of another kind", func(s string) string {
			i := strings.Index(s, `"account": "`) + len(`"account": "`)
			return s[:i] + seed + s[i+len(seed):]
		}, 0o600, nil, "key account: the seed is of kind user, want account"},
		{"sector missing", replace(`"sectors": 2`, `"sectors": 3`), 0o600, nil, "signer_sector-3"},
		{"absurd sectors", replace(`"sectors": 2`, `"sectors": 2000000000`), 0o600, nil, "want 1 to 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keyring.json")
			if err := os.WriteFile(path, []byte(c.edit(string(good))), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadKeyring(path)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			}
			if err != nil && strings.Contains(err.Error(), seed[:20]) {
				t.Error("the error shows a secret")
			}
		})
	}
	if loaded, err := LoadKeyring(path); err != nil || loaded.Account() != account {
		t.Errorf("the file that was left alone gives %v", err)
	}
}

func same(s string) string { return s }

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

func TestIssuingRefuses(t *testing.T) {
	k := newKeyring(t, 7)
	key, _ := userKey(t)
	host := func(sector int, name, key string, clusters ...string) error {
		_, err := k.HostJWT(sector, name, key, clusters, time.Hour)
		return err
	}
	person := func(role, name string, ttl time.Duration) error {
		_, err := k.PersonJWT(role, name, key, ttl)
		return err
	}
	token := func(id string, ttl time.Duration) error {
		_, err := k.TokenJWT(id, key, ttl)
		return err
	}
	many := make([]string, MaxClusters+1)
	for i := range many {
		many[i] = "7.4"
	}
	for name, err := range map[string]error{
		"host that is everybody":     host(7, "*", key, "7.4"),
		"host that is the rest":      host(7, ">", key, "7.4"),
		"host of two tokens":         host(7, "a.b", key, "7.4"),
		"host in capitals":           host(7, "Pi", key, "7.4"),
		"host named as the core":     host(7, CoreName, key, "7.4"),
		"sector zero":                host(0, "pi", key, "0.4"),
		"sector without a key":       host(8, "pi", key, "8.4"),
		"no clusters":                host(7, "pi", key),
		"too many clusters":          host(7, "pi", key, many...),
		"cluster of another sector":  host(7, "pi", key, "7.4", "6.4"),
		"cluster that is everyone":   host(7, "pi", key, "7.*"),
		"cluster that is the rest":   host(7, "pi", key, "7.>"),
		"cluster with a seat":        host(7, "pi", key, "7.4.1"),
		"cluster with leading zero":  host(7, "pi", key, "7.04"),
		"cluster with a sign":        host(7, "pi", key, "7.+4"),
		"cluster that is a sector":   host(7, "pi", key, "7"),
		"no key":                     host(7, "pi", "", "7.4"),
		"key of an account":          host(7, "pi", k.Account(), "7.4"),
		"person of no role":          person("root", "alice", 0),
		"person that is everybody":   person("operator", "*", 0),
		"person who has expired":     person("operator", "alice", -time.Hour),
		"token that is everybody":    token("*", time.Hour),
		"token that does not expire": token("t1", 0),
	} {
		if err == nil {
			t.Errorf("%s: it was signed", name)
		}
	}
}

// A JWT carries no permissions of its own: the broker refuses one that does,
// and takes them from the signer's scope.
func TestJWTsAreScopedAndExpire(t *testing.T) {
	k := newKeyring(t, 7)
	key, _ := userKey(t)
	text, err := k.HostJWT(7, "pi", key, []string{"7.4", "7.12"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c, err := jwt.DecodeUserClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	if !c.HasEmptyPermissions() || c.IssuerAccount != k.Account() || c.Issuer != public(k.sectors[6]) || c.Name != "pi" {
		t.Errorf("the claims are %+v", c)
	}
	if got := strings.Join(c.Tags, " "); got != "cluster:4 cluster:12" {
		t.Errorf("the tags are %q", got)
	}
	if left := time.Until(time.Unix(c.Expires, 0)); left < 58*time.Minute || left > time.Hour {
		t.Errorf("it ends in %v, want an hour", left)
	}
}

// An empty list of subjects in a JWT would allow everything.
func TestEmptyTemplateAllowsNothing(t *testing.T) {
	s := Template{}.scope("key", "role")
	for name, p := range map[string]jwt.Permission{"publish": s.Template.Pub, "subscribe": s.Template.Sub} {
		if len(p.Allow) != 0 || len(p.Deny) != 1 || p.Deny[0] != ">" {
			t.Errorf("an empty template may %s %v but %v", name, p.Allow, p.Deny)
		}
	}
}

func TestBrokerJWTsNeedAllTemplates(t *testing.T) {
	if _, err := newKeyring(t, 3).BrokerJWTs(Permissions{Sectors: make([]Template, 2)}); err == nil {
		t.Error("sector 3 would have a key without a scope: it could do everything")
	}
}

func TestRoleOf(t *testing.T) {
	k, other := newKeyring(t, 1), newKeyring(t, 1)
	key, _ := userKey(t)
	text, err := k.PersonJWT("observer", "bob", key, 0)
	if err != nil {
		t.Fatal(err)
	}
	if role, name, of, err := k.RoleOf(text); role != "observer" || name != "bob" || of != key || err != nil {
		t.Errorf("it is %s %s %s (%v)", role, name, of, err)
	}
	if role := (Credentials{JWT: text}).Role(); role != "observer" {
		t.Errorf("her own programs take her for %q", role)
	}
	if _, _, _, err := other.RoleOf(text); err == nil {
		t.Error("another mesh believes it")
	}
}
