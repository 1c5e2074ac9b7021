package dovecottest

import (
	"crypto/x509"
	"encoding/pem"

	"hawser/sync/sourcetest"
)

// certificate returns a certificate for localhost and 127.0.0.1 and its key as PEM, signed by an
// authority that clients of s trust.
func (s *Server) certificate() (cert, key string, err error) {
	ca, err := sourcetest.NewCA()
	if err != nil {
		return "", "", err
	}
	leaf, err := ca.Issue("localhost", "127.0.0.1")
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		return "", "", err
	}
	s.CA, s.TLS = ca.PEM(), ca.TLSConfig()
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}))
	key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return cert, key, nil
}
