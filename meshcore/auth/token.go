package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// TokenPrefix opens the text of every join token.
const TokenPrefix = "mesh30k1."

// tokenVersion is the version of the token's JSON, MAJOR.MINOR; readers ignore
// members that a later minor version added.
const tokenVersion = "1.0"

// Token is a join token: where the mesh is, and a restricted user that may
// only ask to join it. Its text is pasted by a person, so it is one word.
type Token struct {
	ID   string // [a-z][a-z0-9-]*; names the restricted user
	Mesh string
	URL  string // of the broker, such as nats://127.0.0.1:4222
	CA   string // PEM of the broker's authority; empty without TLS
	JWT  string
	Seed string
	What string // host, operator or observer
	Name string // of the person invited; else empty
}

// tokenJSON is the token as it is spelled.
type tokenJSON struct {
	V    string `json:"v"`
	ID   string `json:"id"`
	Mesh string `json:"mesh"`
	URL  string `json:"url"`
	CA   string `json:"ca,omitempty"`
	JWT  string `json:"jwt"`
	Seed string `json:"seed"`
	What string `json:"what"`
	Name string `json:"name,omitempty"`
}

// Encode spells the token as a person pastes it: [TokenPrefix], then base64url
// without padding of its JSON.
func (t Token) Encode() string {
	data, err := json.Marshal(tokenJSON{tokenVersion, t.ID, t.Mesh, t.URL, t.CA, t.JWT, t.Seed, t.What, t.Name})
	if err != nil {
		panic("auth: a struct of strings cannot be spelled: " + err.Error())
	}
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(data)
}

// ParseToken reads what [Token.Encode] wrote and checks that it is whole. Space
// around it is ignored. Whether it is still valid only the core can say.
func ParseToken(text string) (Token, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, TokenPrefix) {
		return Token{}, badToken("it does not begin with %q: paste the whole line that `mesh30k invite` printed", TokenPrefix)
	}
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		return Token{}, badToken("there is a space or line break after character %d: paste it as one line, without the breaks that a mail or terminal put in", i)
	}
	data, err := base64.RawURLEncoding.DecodeString(text[len(TokenPrefix):])
	if err != nil {
		return Token{}, badToken("it is cut short or altered (%d characters, %w): paste it again, whole", len(text), err)
	}
	var j tokenJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return Token{}, badToken("it is cut short or altered (%d characters, %w): paste it again, whole", len(text), err)
	}
	if major, _, _ := strings.Cut(j.V, "."); major != "1" {
		return Token{}, badToken("it is of version %q, this program reads 1.x: use the version of mesh30k that made it", j.V)
	}
	t := Token{j.ID, j.Mesh, j.URL, j.CA, j.JWT, j.Seed, j.What, j.Name}
	if err := t.check(); err != nil {
		return Token{}, badToken("%w", err)
	}
	return t, nil
}

func badToken(format string, args ...any) error {
	return fmt.Errorf("join token: "+format, args...)
}

func (t Token) check() error {
	if err := CheckName("token", t.ID); err != nil {
		return err
	}
	if err := CheckName("mesh", t.Mesh); err != nil {
		return err
	}
	switch t.What {
	case "host", "operator", "observer":
	default:
		return fmt.Errorf("it invites %q: want host, operator or observer", t.What)
	}
	if t.Name != "" {
		if err := CheckName(t.What, t.Name); err != nil {
			return err
		}
	}
	if u, err := url.Parse(t.URL); err != nil || u.Host == "" {
		return fmt.Errorf("%q is not the URL of a broker", t.URL)
	}
	claims, err := checkUser(t.JWT, t.Seed)
	if err != nil {
		return err
	}
	if claims.Name != t.ID {
		return fmt.Errorf("its JWT is that of %q", claims.Name)
	}
	return nil
}

// Credentials are those of the token's restricted user.
func (t Token) Credentials() Credentials { return Credentials{Name: t.ID, JWT: t.JWT, Seed: t.Seed} }
