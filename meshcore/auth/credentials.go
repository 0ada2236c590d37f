package auth

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Credentials let a program connect to the broker as one user.
type Credentials struct {
	Name string // of the host, person or token
	JWT  string
	Seed string // of the user's own key; secret
}

// NewUserKey makes the key of a user: the public half goes to whoever signs the
// JWT, the seed stays where it was made.
func NewUserKey() (publicKey, seed string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", "", fmt.Errorf("user key cannot be made: %w", err)
	}
	s, err := pair.Seed()
	if err != nil {
		return "", "", fmt.Errorf("user key cannot be made: %w", err)
	}
	return public(pair), string(s), nil
}

// NewCredentials joins a JWT with the seed of the key that it was made for; the
// name is the JWT's.
func NewCredentials(userJWT, seed string) (Credentials, error) {
	claims, err := checkUser(userJWT, seed)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{Name: claims.Name, JWT: userJWT, Seed: seed}, nil
}

// checkUser returns an error unless userJWT is intact and made for the key of
// seed.
func checkUser(userJWT, seed string) (*jwt.UserClaims, error) {
	claims, err := jwt.DecodeUserClaims(userJWT)
	if err != nil {
		return nil, fmt.Errorf("the user JWT is damaged: %w", err)
	}
	pair, err := fromSeed(seed, nkeys.PrefixByteUser)
	if err != nil {
		return nil, err
	}
	if public(pair) != claims.Subject {
		return nil, fmt.Errorf("the JWT of %s was made for another key", claims.Name)
	}
	return claims, nil
}

// PublicKey is the public half of the user's own key; empty: the JWT is damaged.
func (c Credentials) PublicKey() string {
	claims, err := jwt.DecodeUserClaims(c.JWT)
	if err != nil {
		return ""
	}
	return claims.Subject
}

// Expires is when the JWT ends; zero: never, or it is damaged.
func (c Credentials) Expires() time.Time {
	claims, err := jwt.DecodeUserClaims(c.JWT)
	if err != nil || claims.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expires, 0)
}

// roleTag opens the tag of a person's JWT that tells her role.
const roleTag = "role:"

// Role is that of a person ("operator" or "observer") as her JWT says it; empty:
// it says none. It is for showing only: the core knows the role that counts.
func (c Credentials) Role() string {
	claims, err := jwt.DecodeUserClaims(c.JWT)
	if err != nil {
		return ""
	}
	for _, tag := range claims.Tags {
		if role, ok := strings.CutPrefix(tag, roleTag); ok {
			return role
		}
	}
	return ""
}

// Save writes the credentials to path in the creds format of NATS, atomically,
// readable by its owner only.
func (c Credentials) Save(path string) error {
	data, err := jwt.FormatUserConfig(c.JWT, []byte(c.Seed))
	if err != nil {
		return fmt.Errorf("credentials of %s: %w", c.Name, err)
	}
	if err := WriteFile(path, data); err != nil {
		return fmt.Errorf("credentials of %s cannot be saved: %w", c.Name, err)
	}
	return nil
}

// LoadCredentials reads a creds file of NATS. It refuses one that others than
// its owner may read.
func LoadCredentials(path string) (Credentials, error) {
	data, err := readSecret(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials: %w", err)
	}
	userJWT, err := jwt.ParseDecoratedJWT(data)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s are damaged: %w", path, err)
	}
	pair, err := jwt.ParseDecoratedUserNKey(data)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s are damaged: %w", path, err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s are damaged: %w", path, err)
	}
	c, err := NewCredentials(userJWT, string(seed))
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s: %w", path, err)
	}
	return c, nil
}

// Option makes a NATS client connect as this user.
func (c Credentials) Option() nats.Option { return nats.UserJWTAndSeed(c.JWT, c.Seed) }

// Options are those of every client of a mesh: connect as this user, receive
// replies under inbox (wire.InboxPrefix of the name) where nobody else may
// listen, reconnect for ever with [ReconnectDelay], and log what a connection
// notices on its own (a slow consumer, a refused subject). connections is how many
// clients the broker is likely to have, at least 1.
func (c Credentials) Options(inbox string, connections int) []nats.Option {
	return []nats.Option{
		nats.Name(c.Name),
		c.Option(),
		nats.CustomInboxPrefix(inbox),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			return ReconnectDelay(attempts, connections)
		}),
		// A broker that refuses twice would be given up otherwise; it may be a
		// core that starts with a wrong clock, and the next try succeeds.
		nats.IgnoreAuthErrorAbort(),
		nats.PermissionErrOnSubscribe(true),
		// nats.go would print it, on the screen of a console too.
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			slog.Warn("connection to the broker", "user", c.Name, "subject", subject, "err", err)
		}),
	}
}
