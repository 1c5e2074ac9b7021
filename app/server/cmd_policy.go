package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hawser/auth/provision"
)

func (a *app) policyCmd() *cobra.Command {
	return group("policy", "Signed policies", a.policyKeygenCmd(), a.policySignCmd(), a.policySetCmd(), a.policyShowCmd())
}

func (a *app) policyKeygenCmd() *cobra.Command {
	return &cobra.Command{
		Use: "keygen FILE", Short: "Make a signing key; the public one is printed for tenant set --policy-key", Args: words("FILE"),
		Long: "The private key belongs to the company and stays away from the server: whoever takes over hawserd\ncan then withhold a policy but make none.",
		RunE: func(_ *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return fmt.Errorf("make signing key: %w", err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(private)
			if err != nil {
				return fmt.Errorf("make signing key: %w", err)
			}
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("make signing key: %w", err)
			}
			if err := errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close()); err != nil {
				return fmt.Errorf("make signing key: %w", err)
			}
			text := base64.RawURLEncoding.EncodeToString(public)
			return a.print(map[string]string{"publicKey": text}, [][]string{{text}})
		},
	}
}

func (a *app) policySignCmd() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use: "sign FILE", Short: "Sign a policy document; needs no server and no database", Args: words("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			private, err := readSigningKey(keyFile)
			if err != nil {
				return err
			}
			text, err := a.file(args[0])
			if err != nil {
				return fmt.Errorf("read policy: %w", err)
			}
			var doc provision.PolicyDocument
			if err := decodeStrict(text, &doc); err != nil {
				return fmt.Errorf("read policy: %w", err)
			}
			envelope, err := provision.SignPolicy(doc, private)
			if err != nil {
				return err
			}
			enc := json.NewEncoder(a.env.Stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(envelope)
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "policy.pem", "`file` of the signing key")
	return cmd
}

// decodeStrict reads one JSON value and refuses names that mean nothing.
func decodeStrict(text []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value")
	}
	return nil
}

func readSigningKey(file string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read signing key: %s is not PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("read signing key: %s holds no Ed25519 key", file)
	}
	return private, nil
}

func (a *app) policySetCmd() *cobra.Command {
	return &cobra.Command{
		Use: "set TENANT FILE", Short: "Put a signed policy in force", Args: words("TENANT", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.file(args[1])
			if err != nil {
				return fmt.Errorf("read policy: %w", err)
			}
			var envelope provision.PolicyEnvelope
			if err := decodeStrict(text, &envelope); err != nil {
				return fmt.Errorf("read policy: %w", err)
			}
			return a.inOffice(cmd.Context(), func(o *office) error {
				t, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				p, err := provision.CheckPolicy(envelope, t, time.Now())
				if err != nil {
					return err
				}
				e := operator("policy.put", p.Group)
				e.Detail = strconv.FormatInt(p.Version, 10)
				return o.db.PutPolicy(cmd.Context(), id, p, e)
			})
		},
	}
}

func (a *app) policyShowCmd() *cobra.Command {
	var group string
	cmd := &cobra.Command{
		Use: "show TENANT", Short: "Print the policy in force, as it was signed", Args: words("TENANT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.inOffice(cmd.Context(), func(o *office) error {
				_, id, err := o.tenant(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				p, err := o.db.Policy(cmd.Context(), id, group)
				if err != nil {
					return err
				}
				var out bytes.Buffer
				if err := json.Indent(&out, p.Payload, "", "  "); err != nil {
					return fmt.Errorf("read policy: %w", err)
				}
				_, err = fmt.Fprintln(a.env.Stdout, out.String())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&group, "group", "", "of this `group`")
	return cmd
}
