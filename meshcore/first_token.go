package meshcore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

// firstTokenPath holds the token that was made before there was a core to make
// it; the first core turns it into a fact.
func (h *Home) firstTokenPath() string { return filepath.Join(h.Dir, "first-token.json") }

// FirstToken makes the token of a mesh's first host before any core has run, so
// that `init` can print the line to paste. It chooses the core's port, which the
// token must name, and returns the token's text; it lets one host in, for ttl.
func (h *Home) FirstToken(ctx context.Context, ttl time.Duration) (string, error) {
	port, err := freePort(ctx)
	if err != nil {
		return "", fmt.Errorf("mesh %s: no port is free on loopback: %w", h.Mesh(), err)
	}
	if err := auth.WriteFile(h.portPath(), []byte(port+"\n")); err != nil {
		return "", fmt.Errorf("mesh %s: the port cannot be remembered: %w", h.Mesh(), err)
	}
	now := time.Now()
	t := wire.Token{ID: "t" + newID(now), What: "host", Uses: 1, Expires: now.Add(ttl).UTC()}
	data, err := json.Marshal(t, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	if err := auth.WriteFile(h.firstTokenPath(), data); err != nil {
		return "", fmt.Errorf("mesh %s: the first token cannot be kept: %w", h.Mesh(), err)
	}
	keys, err := h.Keyring()
	if err != nil {
		return "", err
	}
	return tokenText(keys, t, "nats://"+net.JoinHostPort("127.0.0.1", port))
}

// tokenText signs a token and spells it.
func tokenText(keys *auth.Keyring, t wire.Token, url string) (string, error) {
	public, seed, err := auth.NewUserKey()
	if err != nil {
		return "", err
	}
	jwt, err := keys.TokenJWT(t.ID, public, time.Until(t.Expires))
	if err != nil {
		return "", err
	}
	return auth.Token{ID: t.ID, Mesh: keys.Mesh(), URL: url, JWT: jwt, Seed: seed, What: t.What, Name: t.Name}.Encode(), nil
}

// freePort finds a port that nobody has now.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), l.Close()
}

// adoptFirstToken makes the first token a fact, if it is not one yet.
func (c *Core) adoptFirstToken(ctx context.Context, h *Home) error {
	data, err := os.ReadFile(h.firstTokenPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the first token cannot be read: %w", err)
	}
	var t wire.Token
	if err := json.Unmarshal(data, &t); err != nil {
		return fmt.Errorf("the first token in %s is damaged: %w; remove the file and make another with `mesh30k invite host`", h.firstTokenPath(), err)
	}
	if err := c.issue(ctx, t); err != nil {
		return err
	}
	return os.Remove(h.firstTokenPath())
}

// issue makes a token durable, then known; one that is known already stays.
func (c *Core) issue(ctx context.Context, t wire.Token) error {
	c.enrolment.mu.Lock()
	_, known := c.enrolment.tokens[t.ID]
	c.enrolment.mu.Unlock()
	if known {
		return nil
	}
	if _, err := c.opt.Facts.Append(ctx, wire.Fact{
		At: time.Now(), Kind: wire.FactTokenIssued, Actor: "core", Data: encodeData(t),
		Text: fmt.Sprintf("token %s lets in %d %s, until %s", t.ID, t.Uses, t.What, t.Expires.UTC().Format(time.RFC3339)),
	}); err != nil {
		return fmt.Errorf("issuing the token: %w", err)
	}
	c.enrolment.mu.Lock()
	defer c.enrolment.mu.Unlock()
	c.enrolment.tokens[t.ID] = t
	return nil
}
