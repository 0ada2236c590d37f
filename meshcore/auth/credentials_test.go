package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newToken(t testing.TB) Token {
	t.Helper()
	k := newKeyring(t, 1)
	key, seed := userKey(t)
	text, err := k.TokenJWT("t1", key, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return Token{ID: "t1", Mesh: "garden", URL: "nats://127.0.0.1:4222", JWT: text, Seed: seed, What: "host"}
}

func TestCredentialsAreTheSameAfterLoading(t *testing.T) {
	c, path := newToken(t).Credentials(), filepath.Join(t.TempDir(), "t1.creds")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadCredentials(path)
	if err != nil || loaded != c {
		t.Fatalf("they are %+v (%v)", loaded, err)
	}
	if left := time.Until(loaded.Expires()); left < 58*time.Minute || left > time.Hour {
		t.Errorf("they end in %v", left)
	}
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCredentials(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("credentials that others can read give %v", err)
	}
	if _, err := LoadCredentials(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("credentials that are not there give %v", err)
	}
	stranger := newToken(t)
	stranger.JWT = c.JWT
	if _, err := NewCredentials(stranger.JWT, stranger.Seed); err == nil {
		t.Error("a JWT with another's seed is believed")
	}
}

func TestTokenIsTheSameAfterParsing(t *testing.T) {
	plain := newToken(t)
	full := plain
	full.CA, full.What, full.Name = "-----BEGIN CERTIFICATE-----\n", "operator", "bob"
	for _, want := range []Token{plain, full} {
		text := want.Encode()
		got, err := ParseToken(" \n" + text + "\r\n")
		if err != nil || got != want {
			t.Errorf("it is %+v (%v), want %+v", got, err, want)
		}
		if strings.ContainsAny(text, "+/= \n") {
			t.Errorf("a person cannot paste %q as one word", text)
		}
	}
}

// The spelling is a promise to programs in other languages.
func TestTokenSpelling(t *testing.T) {
	token := newToken(t)
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token.Encode(), "mesh30k1."))
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"v": "1.0", "id": "t1", "mesh": "garden", "url": token.URL, "jwt": token.JWT, "seed": token.Seed, "what": "host",
	} {
		if members[name] != want {
			t.Errorf("member %s is %q, want %q", name, members[name], want)
		}
		delete(members, name)
	}
	if len(members) != 0 {
		t.Errorf("there are members without a value: %v", members)
	}
}

func TestParseTokenSaysWhatIsWrong(t *testing.T) {
	token := newToken(t)
	good := token.Encode()
	edit := func(change func(*Token)) string {
		other := token
		change(&other)
		return other.Encode()
	}
	spell := func(json string) string { return TokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(json)) }
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "does not begin with"},
		{"something else", "hello", "does not begin with"},
		{"without its beginning", good[10:], "does not begin with"},
		{"a line break in the middle", good[:80] + "\n" + good[80:], "line break after character 80"},
		{"a space in the middle", good[:80] + " " + good[80:], "line break after character 80"},
		{"only the prefix", TokenPrefix, "cut short"},
		{"altered", good[:100] + "#" + good[101:], "cut short or altered"},
		{"of a later major version", spell(`{"v":"2.0"}`), `version "2.0"`},
		{"of the wrong type", spell(`{"v":1}`), "altered"},
		{"for everybody", edit(func(t *Token) { t.ID = "*" }), "token name"},
		{"for another user", edit(func(t *Token) { t.ID = "t2" }), `that of "t1"`},
		{"for a mesh of no name", edit(func(t *Token) { t.Mesh = "" }), "mesh name"},
		{"for no role", edit(func(t *Token) { t.What = "king" }), "want host, operator or observer"},
		{"to nowhere", edit(func(t *Token) { t.URL = "" }), "not the URL of a broker"},
		{"with another's seed", edit(func(o *Token) { _, o.Seed = userKey(t) }), "made for another key"},
		{"with a damaged JWT", edit(func(t *Token) { t.JWT = t.JWT[:len(t.JWT)-4] + "AAAA" }), "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ParseToken(c.text); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v", err)
			} else if strings.Contains(err.Error(), token.Seed) {
				t.Error("the error shows the secret")
			}
		})
	}
	for n := range len(good) {
		if _, err := ParseToken(good[:n]); err == nil {
			t.Fatalf("%d of its %d characters are taken for the whole", n, len(good))
		}
	}
	if _, err := ParseToken(spell(strings.Replace(string(decode(t, good)), `"v":"1.0"`, `"v":"1.7","new":[1]`, 1))); err != nil {
		t.Errorf("a later minor version with another member gives %v", err)
	}
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, TokenPrefix))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzParseToken(f *testing.F) {
	f.Add(newToken(f).Encode())
	f.Add(TokenPrefix + "e30")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		if again, err := ParseToken(token.Encode()); err != nil || again != token {
			t.Errorf("parsed and spelled again it is %+v (%v)", again, err)
		}
	})
}

func TestReconnectWindowGrowsAndEnds(t *testing.T) {
	for _, c := range []struct {
		attempts, connections int
		want                  time.Duration
	}{
		{0, 0, 100 * time.Millisecond},
		{1, 1, 100 * time.Millisecond},
		{2, 1, 200 * time.Millisecond},
		{100, 1, 5 * time.Second},
		{1, 1000, time.Second},
		{100, 1000, 10 * time.Second},
		{1, 30_000, 30 * time.Second},
		{2, 30_000, time.Minute},
		{1 << (bits.UintSize - 2), 1 << 40, time.Minute},
	} {
		if got := reconnectWindow(c.attempts, c.connections); got != c.want {
			t.Errorf("attempt %d of %d clients has a window of %v, want %v", c.attempts, c.connections, got, c.want)
		}
	}
}

// Full jitter: those who lost the broker together come back spread over the
// whole window.
func TestReconnectDelayIsSpread(t *testing.T) {
	const clients = 1000
	var tenths [10]int
	window := reconnectWindow(1, clients)
	for range clients {
		d := ReconnectDelay(1, clients)
		if d < 0 || d >= window {
			t.Fatalf("a delay of %v lies outside the window of %v", d, window)
		}
		tenths[10*d/window]++
	}
	for i, n := range tenths {
		if n < clients/50 {
			t.Errorf("only %d of %d clients come in tenth %d of the window", n, clients, i)
		}
	}
}
