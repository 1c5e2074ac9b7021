package provision

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hawser/auth/reqsig"
	"hawser/auth/secret"
	"hawser/sync/alarm"
	"hawser/sync/fault"
)

// Client calls hawserd with one key: an agent's, an installer's, or a company's. Its methods
// return a *[Problem] when the server refused, and a *fault.Error of class Retry when no answer of
// hawserd came back; then the call may have happened, and every call may be repeated.
type Client struct {
	base string
	http *http.Client
	sign *reqsig.Transport
}

// ClientConfig is what a [Client] needs.
type ClientConfig struct {
	Server string            // "https://hawserd.example.com"; http only for a loopback address
	Key    Credential        // signs every call
	Base   http.RoundTripper // default http.DefaultTransport
	Now    func() time.Time  // default time.Now
}

// callTime bounds one call.
const callTime = 30 * time.Second

// maxAnswer bounds an answer: a full page of users fits.
const maxAnswer = 4 << 20

// NewClient returns a client, or an error naming what is wrong.
func NewClient(cfg ClientConfig) (*Client, error) {
	base, err := checkServer(cfg.Server)
	if err != nil {
		return nil, err
	}
	if cfg.Key.ID == "" || cfg.Key.Secret.Empty() {
		return nil, errors.New("provision: Key is required")
	}
	t := &reqsig.Transport{Key: cfg.Key.Signing(), Base: cfg.Base, Now: cfg.Now}
	return &Client{base: base, sign: t, http: &http.Client{Transport: t, CheckRedirect: noRedirect}}, nil
}

// ClockOffset is how far the server's clock is ahead of this computer's, as far as is known.
func (c *Client) ClockOffset() time.Duration { return c.sign.Offset() }

// Setup returns what this computer needs before its user can sign in; the policy in it is not
// checked yet, see [PolicyPin].
func (c *Client) Setup(ctx context.Context) (SetupOut, error) {
	return do[SetupOut](ctx, c, http.MethodGet, "/v1/setup", nil)
}

// Register registers this computer. See [NewRegistration] for what to keep before the first try.
func (c *Client) Register(ctx context.Context, in RegisterIn) (RegisterOut, error) {
	return do[RegisterOut](ctx, c, http.MethodPost, "/v1/register", in)
}

// CheckIn reports and returns what the company wants.
func (c *Client) CheckIn(ctx context.Context, r Report) (CheckInOut, error) {
	return do[CheckInOut](ctx, c, http.MethodPost, "/v1/checkin", CheckInIn{Report: r})
}

// Wiped reports that a wipe order was carried out. The key is dead afterwards.
func (c *Client) Wiped(ctx context.Context, r Report) error {
	_, err := do[struct{}](ctx, c, http.MethodPost, "/v1/wiped", CheckInIn{Report: r})
	return err
}

// Leave unregisters this computer. The key is dead afterwards.
func (c *Client) Leave(ctx context.Context) error {
	_, err := do[struct{}](ctx, c, http.MethodPost, "/v1/leave", nil)
	return err
}

// Policy fetches the policy that is meant for this computer; it is not checked yet, see
// [PolicyPin]. A [Problem] with [CodeNotFound] means that there is none.
func (c *Client) Policy(ctx context.Context) (PolicyEnvelope, error) {
	return do[PolicyEnvelope](ctx, c, http.MethodGet, "/v1/policy", nil)
}

// PutPolicy hands in a signed policy.
func (c *Client) PutPolicy(ctx context.Context, e PolicyEnvelope) error {
	_, err := do[struct{}](ctx, c, http.MethodPut, "/v1/policy", e)
	return err
}

// PutUser provisions a user, or changes one.
func (c *Client) PutUser(ctx context.Context, id string, in UserIn) (UserOut, error) {
	return do[UserOut](ctx, c, http.MethodPut, userPath(id, ""), in)
}

// User returns a user.
func (c *Client) User(ctx context.Context, id string) (UserOut, error) {
	return do[UserOut](ctx, c, http.MethodGet, userPath(id, ""), nil)
}

// Users returns a page of users.
func (c *Client) Users(ctx context.Context, q UserQuery) (UserList, error) {
	v := url.Values{}
	if q.Group != "" {
		v.Set("group", q.Group)
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	path := "/v1/users"
	if len(v) > 0 {
		path += "?" + v.Encode()
	}
	return do[UserList](ctx, c, http.MethodGet, path, nil)
}

// Suspend stops a user until Resume; nothing is lost.
func (c *Client) Suspend(ctx context.Context, id string) (UserOut, error) {
	return do[UserOut](ctx, c, http.MethodPost, userPath(id, "/suspend"), nil)
}

// Resume ends a suspension.
func (c *Client) Resume(ctx context.Context, id string) (UserOut, error) {
	return do[UserOut](ctx, c, http.MethodPost, userPath(id, "/resume"), nil)
}

// Deprovision ends a user: its computers revoke, wipe and report.
func (c *Client) Deprovision(ctx context.Context, id string) (UserOut, error) {
	return do[UserOut](ctx, c, http.MethodPost, userPath(id, "/deprovision"), nil)
}

// IssueCode makes a one-time enrolment code.
func (c *Client) IssueCode(ctx context.Context, id string) (CodeOut, error) {
	return do[CodeOut](ctx, c, http.MethodPost, userPath(id, "/code"), nil)
}

// Counts returns the numbers of a group, "" for all that the key reaches.
func (c *Client) Counts(ctx context.Context, group string) (CountsOut, error) {
	path := "/v1/counts"
	if group != "" {
		path += "?" + url.Values{"group": {group}}.Encode()
	}
	return do[CountsOut](ctx, c, http.MethodGet, path, nil)
}

func userPath(id, action string) string { return "/v1/users/" + url.PathEscape(id) + action }

// do makes one call.
func do[Out any](ctx context.Context, c *Client, method, path string, in any) (Out, error) {
	var out Out
	op := strings.ToLower(method) + " " + strings.SplitN(path, "/", 4)[2] // no ids
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return out, fmt.Errorf("%s: %w", op, err)
		}
		body = bytes.NewReader(raw)
	}
	ctx, cancel := alarm.Context(ctx, callTime) // of the runtime's timers each wakes an idle agent later on
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return out, fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// The library's text quotes the address, and with it a user's id.
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return out, &fault.Error{Code: fault.Offline, Op: op, Err: err, Unknown: true}
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return out, &fault.Error{Code: fault.ServerError, Op: op, Err: err, Unknown: true}
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated {
		if err := json.Unmarshal(raw, &out); err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
			return out, &fault.Error{Code: fault.NotTheServer, Op: op, Err: errors.New("answer is not of the protocol"), Unknown: true}
		}
		return out, nil
	}
	return out, refusal(op, resp, raw)
}

// refusal reads what is not a success.
func refusal(op string, resp *http.Response, raw []byte) error {
	after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	f := &fault.Error{Op: op, Err: fmt.Errorf("status %d", resp.StatusCode), After: time.Duration(max(after, 0)) * time.Second}
	p := &Problem{}
	known := json.Unmarshal(raw, p) == nil && p.Code != "" && p.Status == resp.StatusCode
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		f.Code = fault.TooManyRequests
	case resp.StatusCode >= 500:
		f.Code, f.Unknown = fault.ServerError, true
	case known:
		return p
	default:
		f.Code = fault.NotTheServer
	}
	return f
}

// NewRegistration draws the id of a registration and the device key. Both are to be kept before
// the first try, for the same pair gives the same device however often it is sent.
func NewRegistration() (id string, device secret.String) {
	raw := make([]byte, 32)
	rand.Read(raw)
	return rand.Text(), secret.New(base64.RawURLEncoding.EncodeToString(raw))
}

// DeviceCredential is the device key of a registration that stands.
func DeviceCredential(out RegisterOut, device secret.String) (Credential, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(device.Reveal())
	if err != nil || len(raw) != 32 || !keyText.MatchString(out.Device) {
		return Credential{}, errors.New("device credential: not of a registration")
	}
	return Credential{ID: out.Device, Secret: secret.New(string(raw))}, nil
}

// NextCheckIn spreads an interval over 80 to 120 %, so that agents that started together do not
// stay together.
func NextCheckIn(interval time.Duration) time.Duration {
	fifth := int64(interval) * 2 / 5
	if fifth <= 0 {
		return interval
	}
	n, err := rand.Int(rand.Reader, big.NewInt(fifth))
	if err != nil {
		return interval
	}
	return interval - time.Duration(fifth/2) + time.Duration(n.Int64())
}
