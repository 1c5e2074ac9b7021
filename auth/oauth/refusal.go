package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"hawser/sync/fault"
)

// stage is where in the flow a refusal came.
type stage int

const (
	atAuthorize stage = iota
	atCode
	atRefresh
)

// restrictedWait is how long to leave an account alone whose network or hour is not allowed:
// asking more often brings nothing, and the token stays good.
const restrictedWait = time.Hour

var (
	plainCode = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	aadsts    = regexp.MustCompile(`AADSTS(\d{4,8})`)
)

// refused is the cause inside a fault: only the parts of a refusal that cannot carry anybody's text.
func refused(code, description string) error {
	if !plainCode.MatchString(code) {
		code = "unreadable error code"
	}
	if m := aadsts.FindString(description); m != "" {
		code += " " + m
	}
	return errors.New(code)
}

// refusal turns an OAuth error into a fault. The description is read, never repeated: it is
// foreign text. Sources: RFC 6749, RFC 6750, OpenID Connect Core; Salesforce Help "OAuth 2.0
// Authorization Errors"; Microsoft "Entra authentication and authorization error codes"; Google
// "OAuth 2.0 for Desktop Apps".
func refusal(at stage, op, code, description string) *fault.Error {
	f := fault.New(refusalCode(at, code, description), op, refused(code, description))
	if f.Code == fault.LoginRestricted || strings.EqualFold(code, "rate_limit_exceeded") {
		f.After = restrictedWait
	}
	return f
}

// byDirectory holds Microsoft's AADSTS numbers. Microsoft says that they may change, so they only
// refine what the OAuth error says.
var byDirectory = map[string]fault.Code{
	"65001": fault.ConsentByAdmin, "90094": fault.ConsentByAdmin, "90095": fault.ConsentByAdmin, "50105": fault.ConsentByAdmin,
	"65004": fault.ConsentRefused, "50011": fault.RedirectMismatch,
	"700016": fault.AppUnknown, "7000218": fault.AppUnknown,
	"70011": fault.ScopeMissing, "28000": fault.ScopeMissing,
	"50057": fault.UserInactive, "50034": fault.UserInactive,
	"53003": fault.LoginRestricted, "53000": fault.LoginRestricted,
}

// byError holds the errors that mean one thing wherever they come.
var byError = map[string]fault.Code{
	"access_denied":                fault.ConsentRefused,
	"access-denied":                fault.ConsentRefused, // as Salesforce's help spells it
	"admin_policy_enforced":        fault.ConsentByAdmin,
	"oauth_app_access_denied":      fault.ConsentByAdmin,
	"consent_required":             fault.ConsentByAdmin,
	"invalid_client_id":            fault.AppUnknown,
	"invalid_client":               fault.AppUnknown,
	"deleted_client":               fault.AppUnknown,
	"unauthorized_client":          fault.AppUnknown,
	"oauth_app_blocked":            fault.AppBlocked,
	"oauth_ec_app_not_found":       fault.AppBlocked,
	"oauth_approval_error_generic": fault.AppBlocked,
	"org_internal":                 fault.AppUnknown, // Google: the app is of another company
	"redirect_uri_mismatch":        fault.RedirectMismatch,
	"invalid_scope":                fault.ScopeMissing,
	"inactive_user":                fault.UserInactive,
	"inactive_org":                 fault.UserInactive,
	"rate_limit_exceeded":          fault.TooManyRequests,
	"slow_down":                    fault.TooManyRequests,
	"temporarily_unavailable":      fault.ServerError,
	"server_error":                 fault.ServerError,
}

// byDescription holds Salesforce's descriptions, which tell apart what one error code means.
var byDescription = []struct {
	part string
	code fault.Code
}{
	{"must be installed", fault.AppBlocked},
	{"not installed in this org", fault.AppBlocked},
	{"blocked by admin", fault.AppBlocked},
	{"not admin approved", fault.ConsentByAdmin},
	{"approved this consumer", fault.ConsentByAdmin},
	{"inactive user", fault.UserInactive},
	{"inactive organization", fault.UserInactive},
	{"ip restricted", fault.LoginRestricted},
	{"login hours", fault.LoginRestricted},
	{"too many logins", fault.TooManyRequests},
	{"login rate exceeded", fault.TooManyRequests},
}

func refusalCode(at stage, code, description string) fault.Code {
	code, description = strings.ToLower(code), strings.ToLower(description)
	if m := aadsts.FindStringSubmatch(strings.ToUpper(description)); m != nil {
		if c, ok := byDirectory[m[1]]; ok {
			return c
		}
	}
	for _, d := range byDescription {
		if strings.Contains(description, d.part) {
			return d.code
		}
	}
	if c, ok := byError[code]; ok {
		return c
	}
	switch {
	case at == atCode && code == "invalid_grant":
		return fault.CodeExpired
	case at == atRefresh && (code == "invalid_grant" || code == "interaction_required" || code == "login_required"):
		return fault.TokenRevoked
	}
	return fault.SignInRefused
}

// tokenFault names why a token request brought no tokens.
func tokenFault(at stage, op string, a answer) *fault.Error {
	m, err := a.object()
	if err == nil && len(m["error"]) > 0 {
		f := refusal(at, op, text(m, "error"), text(m, "error_description"))
		if a.status == http.StatusTooManyRequests {
			f.Code = fault.TooManyRequests
		}
		if wait := a.retryAfter(); wait > 0 {
			f.After = wait
		}
		return f
	}
	if f := a.unusual(op); f != nil {
		return f
	}
	return fault.New(fault.NotTheServer, op, errors.New("not a token answer"))
}

// reply is a token answer that passed every check of form.
type reply struct {
	access, refresh, idToken string
	scopes                   []string // nil when the answer did not say
	life                     time.Duration
	members                  map[string]json.RawMessage
}

// readReply checks a token answer (RFC 6749 section 5.1).
func readReply(at stage, op string, a answer) (reply, error) {
	if a.status != http.StatusOK {
		return reply{}, tokenFault(at, op, a)
	}
	m, err := a.object()
	if err != nil {
		f := fault.New(fault.NotTheServer, op, err)
		f.Unknown = true // a success that cannot be read may have rotated the token
		return reply{}, f
	}
	if len(m["error"]) > 0 {
		return reply{}, tokenFault(at, op, a)
	}
	r := reply{access: text(m, "access_token"), refresh: text(m, "refresh_token"), idToken: text(m, "id_token"), members: m}
	if s := text(m, "scope"); s != "" {
		r.scopes = strings.Fields(s)
	}
	if n := text(m, "expires_in"); n != "" {
		d, err := time.ParseDuration(n + "s")
		if err != nil || d < 0 || d > 366*24*time.Hour {
			d = 0
		}
		r.life = d
	}
	switch {
	case r.access == "" || len(r.access) > 16<<10 || !visible(r.access):
		err = errors.New("no usable access token")
	case !strings.EqualFold(text(m, "token_type"), "bearer"):
		err = errors.New("not a bearer token")
	case len(r.refresh) > 16<<10:
		err = errors.New("refresh token is too long")
	}
	if err != nil {
		return reply{}, fault.New(fault.SignInRefused, op, err)
	}
	return r, nil
}

// visible reports whether s is made of printable ASCII, as a header value must be.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
