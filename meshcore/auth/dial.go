package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/nats-io/nats.go"
)

// Dial connects to a broker whose authority is ca, in PEM; empty: without TLS
// or with an authority that the system knows.
func Dial(url, ca string, opts ...nats.Option) (*nats.Conn, error) {
	if ca != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("the broker's authority is not a PEM certificate")
		}
		opts = append(opts, nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}))
	}
	return nats.Connect(url, opts...)
}
