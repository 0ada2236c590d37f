// Package auth holds the identities of a mesh: who may connect to its broker,
// and what each may say there.
//
// A mesh has one [Keyring] of root keys. From it come user JWTs in the
// decentralised manner of NATS: a host, a person or a join token makes a key
// of its own, sends only the public half, and gets a JWT that names it. What
// the holder may publish and subscribe is not in that JWT but in the scope of
// the key that signed it, which the broker knows from the account's JWT; so
// 30,000 identities cost the broker nothing until they connect, and a stolen
// signing key of one sector can speak for that sector only.
//
// The package spells no subject: the scopes come in as [Template] values, made
// by package meshcore from the functions of package wire. It links neither the
// server nor any database, since every agent carries it.
package auth
