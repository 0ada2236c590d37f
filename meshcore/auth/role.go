package auth

import (
	"fmt"

	"github.com/nats-io/jwt/v2"
)

// RoleOf tells for which role of a person ("operator" or "observer") this
// keyring signed a JWT, and for which name and key.
func (k *Keyring) RoleOf(userJWT string) (role, name, publicKey string, err error) {
	claims, err := jwt.DecodeUserClaims(userJWT)
	if err != nil {
		return "", "", "", fmt.Errorf("the user JWT is damaged: %w", err)
	}
	switch claims.Issuer {
	case public(k.signers.operator):
		role = "operator"
	case public(k.signers.observer):
		role = "observer"
	default:
		return "", "", "", fmt.Errorf("the JWT of %s is not that of a person of mesh %s", claims.Name, k.mesh)
	}
	return role, claims.Name, claims.Subject, nil
}
