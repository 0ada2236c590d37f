package auth

import (
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"
)

// MaxSectors is the most sectors a keyring has keys for. The scopes of 1,000
// make an account JWT of about two thirds of the 1 MiB that NATS allows.
const MaxSectors = 1000

// Keyring holds the root keys of one mesh. Who holds it can make any identity:
// it stays in the mesh's directory and is never sent.
//
// Each kind of user has a signing key of its own, so that a kind can be
// withdrawn as one (removing the key of one sector from the account closed
// exactly that sector's connections, in 74 ms).
type Keyring struct {
	mesh     string
	operator nkeys.KeyPair   // NATS's operator: signs the accounts
	system   nkeys.KeyPair   // the account $SYS
	account  nkeys.KeyPair   // the account of the mesh
	signers  signers         // signing keys of that account
	sectors  []nkeys.KeyPair // signing keys of hosts, by sector
}

// signers are the signing keys of users that are not hosts.
type signers struct {
	core, operator, observer, token nkeys.KeyPair
}

// NewKeyring makes fresh root keys for a mesh with sectors sectors, 1 to
// [MaxSectors].
func NewKeyring(mesh string, sectors int) (*Keyring, error) {
	if err := CheckName("mesh", mesh); err != nil {
		return nil, err
	}
	if sectors < 1 || sectors > MaxSectors {
		return nil, fmt.Errorf("keyring of mesh %s: %d sectors: want 1 to %d", mesh, sectors, MaxSectors)
	}
	k := &Keyring{mesh: mesh, sectors: make([]nkeys.KeyPair, sectors)}
	var errs []error
	for _, p := range k.pairs() {
		pair, err := nkeys.CreatePair(p.prefix)
		*p.pair, errs = pair, append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("keyring of mesh %s: keys cannot be made: %w", mesh, err)
	}
	return k, nil
}

// Mesh is the name of the mesh.
func (k *Keyring) Mesh() string { return k.mesh }

// Sectors is how many sectors have a key.
func (k *Keyring) Sectors() int { return len(k.sectors) }

// Account is the public key of the mesh's account.
func (k *Keyring) Account() string { return public(k.account) }

// place is one key of the ring: where it is kept and of what kind it is.
type place struct {
	name   string
	pair   *nkeys.KeyPair
	prefix nkeys.PrefixByte
}

// pairs lists all keys of the ring, in the order of the file.
func (k *Keyring) pairs() []place {
	all := []place{
		{"operator", &k.operator, nkeys.PrefixByteOperator},
		{"system", &k.system, nkeys.PrefixByteAccount},
		{"account", &k.account, nkeys.PrefixByteAccount},
		{"signer_core", &k.signers.core, nkeys.PrefixByteAccount},
		{"signer_operator", &k.signers.operator, nkeys.PrefixByteAccount},
		{"signer_observer", &k.signers.observer, nkeys.PrefixByteAccount},
		{"signer_token", &k.signers.token, nkeys.PrefixByteAccount},
	}
	for i := range k.sectors {
		all = append(all, place{"signer_" + sectorRole(i+1), &k.sectors[i], nkeys.PrefixByteAccount})
	}
	return all
}

// public is the public key of a pair that this package made or checked itself.
func public(pair nkeys.KeyPair) string {
	key, err := pair.PublicKey()
	if err != nil {
		panic("auth: a key of the keyring has no public half: " + err.Error())
	}
	return key
}
