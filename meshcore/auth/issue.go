package auth

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// HostJWT lets the holder of publicKey speak as host in the given clusters of
// sector (spelled 7.4; 1 to [MaxClusters], all of that sector) for ttl from
// now; ttl 0 never ends.
func (k *Keyring) HostJWT(sector int, host, publicKey string, clusters []string, ttl time.Duration) (string, error) {
	if err := CheckName("host", host); err != nil {
		return "", err
	}
	if sector < 1 || sector > len(k.sectors) {
		return "", fmt.Errorf("host %s: sector %d has no key: the keyring of mesh %s knows sectors 1 to %d", host, sector, k.mesh, len(k.sectors))
	}
	if len(clusters) < 1 || len(clusters) > MaxClusters {
		return "", fmt.Errorf("host %s: %d clusters in one JWT: want 1 to %d", host, len(clusters), MaxClusters)
	}
	tags := make([]string, len(clusters))
	for i, address := range clusters {
		cluster, err := clusterOf(address, sector)
		if err != nil {
			return "", fmt.Errorf("host %s: %w", host, err)
		}
		tags[i] = "cluster:" + strconv.Itoa(cluster)
	}
	return k.issue(k.sectors[sector-1], host, publicKey, ttl, tags...)
}

// PersonJWT lets the holder of publicKey act as the person name, whose role is
// "operator" or "observer", for ttl from now; ttl 0 never ends. A tag tells her
// own programs the role; what she may do does not follow from it.
func (k *Keyring) PersonJWT(role, name, publicKey string, ttl time.Duration) (string, error) {
	if err := CheckName("person", name); err != nil {
		return "", err
	}
	switch role {
	case "operator":
		return k.issue(k.signers.operator, name, publicKey, ttl, roleTag+role)
	case "observer":
		return k.issue(k.signers.observer, name, publicKey, ttl, roleTag+role)
	}
	return "", fmt.Errorf("person %s: role %q: want operator or observer", name, role)
}

// TokenJWT lets the holder of publicKey ask to join with the token id, for ttl
// from now. It counts uses no more than the broker does: the core must.
func (k *Keyring) TokenJWT(id, publicKey string, ttl time.Duration) (string, error) {
	if err := CheckName("token", id); err != nil {
		return "", err
	}
	if ttl <= 0 {
		return "", fmt.Errorf("token %s: a join token must expire, but its ttl is %v", id, ttl)
	}
	return k.issue(k.signers.token, id, publicKey, ttl)
}

// CoreJWT lets the holder of publicKey act as the core. It does not expire: it
// is made anew at each start of the core and kept in its memory only.
func (k *Keyring) CoreJWT(publicKey string) (string, error) {
	return k.issue(k.signers.core, CoreName, publicKey, 0)
}

// issue signs a user JWT. Its permissions are those of the signer's scope.
func (k *Keyring) issue(signer nkeys.KeyPair, name, publicKey string, ttl time.Duration, tags ...string) (string, error) {
	if !nkeys.IsValidPublicUserKey(publicKey) {
		return "", fmt.Errorf("%s: the key is not a public NATS user nkey (56 characters beginning with U)", name)
	}
	if ttl < 0 {
		return "", fmt.Errorf("%s: the JWT would have expired %v ago", name, -ttl)
	}
	text, err := jwt.IssueUserJWT(signer, k.Account(), publicKey, name, ttl, tags...)
	if err != nil {
		return "", fmt.Errorf("%s: the JWT cannot be signed: %w", name, err)
	}
	return text, nil
}

// BrokerJWTs are what a broker must know to tell this mesh's users from others.
type BrokerJWTs struct {
	Operator   string            // the operator's own JWT
	System     string            // public key of the account $SYS
	Accounts   map[string]string // account JWTs by public key, $SYS included
	OperatorID string            // public key of the operator
}

// BrokerJWTs signs the operator's and accounts' JWTs with p as the scopes. They
// are made anew at each start of the broker, so that a new version of the
// program can change what its users may do without touching their JWTs.
func (k *Keyring) BrokerJWTs(p Permissions) (*BrokerJWTs, error) {
	if len(p.Sectors) != len(k.sectors) {
		return nil, fmt.Errorf("keyring of mesh %s: permissions for %d sectors, keys for %d", k.mesh, len(p.Sectors), len(k.sectors))
	}
	op := jwt.NewOperatorClaims(public(k.operator))
	op.Name = k.mesh
	op.SystemAccount = public(k.system)
	operator, err := op.Encode(k.operator)
	if err != nil {
		return nil, fmt.Errorf("operator JWT of mesh %s: %w", k.mesh, err)
	}
	system, err := k.encodeAccount(jwt.NewAccountClaims(public(k.system)), "SYS")
	if err != nil {
		return nil, err
	}
	mesh, err := k.encodeAccount(k.accountClaims(p), "mesh")
	if err != nil {
		return nil, err
	}
	return &BrokerJWTs{
		Operator:   operator,
		OperatorID: public(k.operator),
		System:     public(k.system),
		Accounts:   map[string]string{public(k.system): system, k.Account(): mesh},
	}, nil
}

func (k *Keyring) encodeAccount(claims *jwt.AccountClaims, name string) (string, error) {
	claims.Name = name
	text, err := claims.Encode(k.operator)
	if err != nil {
		return "", fmt.Errorf("JWT of account %s of mesh %s: %w", name, k.mesh, err)
	}
	return text, nil
}

// accountClaims is the mesh's account: JetStream without limits of its own
// (the broker has one budget), and a scope for each signing key.
func (k *Keyring) accountClaims(p Permissions) *jwt.AccountClaims {
	claims := jwt.NewAccountClaims(k.Account())
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit,
		Streams: jwt.NoLimit, Consumer: jwt.NoLimit, MaxAckPending: jwt.NoLimit,
	}
	add := func(signer nkeys.KeyPair, role string, t Template) {
		claims.SigningKeys.AddScopedSigner(t.scope(public(signer), role))
	}
	add(k.signers.core, CoreName, p.Core)
	add(k.signers.operator, "operator", p.Operator)
	add(k.signers.observer, "observer", p.Observer)
	add(k.signers.token, "token", p.Token)
	for i, signer := range k.sectors {
		add(signer, sectorRole(i+1), p.Sectors[i])
	}
	return claims
}
