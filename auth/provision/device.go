package provision

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"hawser/auth/reqsig"
)

// refused is what a device hears whose key counts for nothing more: the same as an unknown one.
func refused() *Problem { return problem(http.StatusUnauthorized, reqsig.CodeRefused) }

// gone turns "no such device" into the answer for a dead key.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return refused()
	}
	return err
}

func (s *Server) getPolicy(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	d, err := s.cfg.Store.Device(ctx, c.tenant, c.key.ID)
	if err != nil {
		return 0, nil, gone(err)
	}
	if d.State != DeviceActive {
		return 0, nil, refused()
	}
	u, err := s.cfg.Store.User(ctx, c.tenant, d.User)
	if err != nil {
		return 0, nil, err
	}
	p, err := s.cfg.Store.Policy(ctx, c.tenant, u.Group)
	return http.StatusOK, envelopeOf(p), err
}

func (s *Server) checkIn(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	in, ok := plainCheckIn(c.body)
	if !ok {
		in = CheckInIn{}
		if err := c.read(&in); err != nil {
			return 0, nil, err
		}
	}
	if !in.Report.valid() {
		return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
	}
	st, err := s.cfg.Store.CheckIn(ctx, c.tenant, c.key.ID, in.Report, c.now)
	if err != nil {
		return 0, nil, gone(err)
	}
	out := &CheckInOut{
		State: StandingActive, Since: st.UserAt, TenantName: st.TenantName, Group: st.Group,
		Aliases: st.Aliases, PolicyVersion: st.PolicyVersion, Interval: s.interval(),
	}
	if st.User == Suspended {
		out.State = StandingSuspended
	}
	if st.Device == DeviceWiping {
		out.State, out.Since = StandingRemoved, st.DeviceAt
		secret, err := s.cfg.Vault.open(*c.key)
		if err != nil {
			return 0, nil, err
		}
		out.Wipe = &WipeOrder{At: st.DeviceAt, By: st.DeviceBy}
		out.Wipe.MAC = base64.RawURLEncoding.EncodeToString(out.Wipe.mac(c.key.ID, secret))
	}
	return http.StatusOK, out, nil
}

func (w WipeOrder) mac(device string, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(place("hawser-wipe-v1", device, w.At.UTC().Format(time.RFC3339Nano), w.By))
	return h.Sum(nil)
}

// Valid reports whether the order is meant for this device. Whoever opens TLS on the way, as some
// companies' proxies do, cannot make an agent delete anything.
func (w WipeOrder) Valid(device Credential) bool {
	got, err := base64.RawURLEncoding.DecodeString(w.MAC)
	return err == nil && hmac.Equal(got, w.mac(device.ID, []byte(device.Secret.Reveal())))
}

func (s *Server) wiped(ctx context.Context, c *call) (int, any, error) {
	var in CheckInIn
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if !in.Report.valid() {
		return 0, nil, problem(http.StatusBadRequest, CodeInvalid)
	}
	err := s.cfg.Store.FinishWipe(ctx, c.tenant, c.key.ID, in.Report, c.event("device.wiped", c.key.ID))
	return http.StatusOK, struct{}{}, err
}

func (s *Server) leave(ctx context.Context, c *call) (int, any, error) {
	if _, err := c.only(); err != nil {
		return 0, nil, err
	}
	if err := c.empty(); err != nil {
		return 0, nil, err
	}
	err := s.cfg.Store.Leave(ctx, c.tenant, c.key.ID, c.event("device.leave", c.key.ID))
	return http.StatusOK, struct{}{}, gone(err)
}
