package salesforce

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/shape"
)

// subject is what a refusal was about; the same code means different things for different records.
type subject struct {
	object string // "EmailMessage", "Task", "ContentVersion", "EmailMessageRelation", "" for none
	refs   bool   // it pointed at other records that could be left out
}

// meaning is what one of Salesforce's error codes comes to.
type meaning struct {
	code   fault.Code
	after  time.Duration
	detail bool // the message is an administrator's text for the person
	// ref: the reference in the record is at fault where there is one.
	ref bool
	// access: the object itself is closed to this user; an EmailMessage then becomes a Task.
	access bool
}

const (
	dayLimitWait   = 15 * time.Minute
	concurrentWait = 10 * time.Second
	pauseWait      = 5 * time.Minute
)

// meanings are the error codes of the SOAP API guide's ExceptionCode and StatusCode lists that
// a REST client meets. Codes that are not here are fault.SalesforceRefused.
var meanings = map[string]meaning{
	"INVALID_SESSION_ID":  {code: fault.NotSignedIn},
	"INVALID_AUTH_HEADER": {code: fault.NotSignedIn},
	"INVALID_JWT_FORMAT":  {code: fault.NotSignedIn},

	"API_DISABLED_FOR_ORG":    {code: fault.APIDisabled},
	"API_CURRENTLY_DISABLED":  {code: fault.ServerError, after: pauseWait},
	"REQUEST_LIMIT_EXCEEDED":  {code: fault.LimitReached, after: dayLimitWait},
	"SERVER_UNAVAILABLE":      {code: fault.ServerError},
	"UNKNOWN_EXCEPTION":       {code: fault.ServerError},
	"UNABLE_TO_LOCK_ROW":      {code: fault.RecordLocked},
	"QUERY_TIMEOUT":           {code: fault.ServerError},
	"INVALID_QUERY_LOCATOR":   {code: fault.ServerError},
	"UNSUPPORTED_API_VERSION": {code: fault.ServerError},
	"PROCESSING_HALTED":       {code: fault.ServerError},
	"INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": {code: fault.OrgReadOnly, after: dayLimitWait},
	"ALL_OR_NONE_OPERATION_ROLLED_BACK":                   {code: fault.ServerError},

	"INSUFFICIENT_ACCESS":             {code: fault.PermissionMissing, access: true},
	"INSUFFICIENT_ACCESS_OR_READONLY": {code: fault.PermissionMissing, access: true},
	"INVALID_TYPE":                    {code: fault.PermissionMissing, access: true},
	"NOT_FOUND":                       {code: fault.PermissionMissing, access: true},
	"FUNCTIONALITY_NOT_ENABLED":       {code: fault.PermissionMissing, access: true},
	"LICENSE_LIMIT_EXCEEDED":          {code: fault.PermissionMissing, access: true},
	"INVALID_FIELD":                   {code: fault.PermissionMissing},
	"COMMUNITY_NOT_ACCESSIBLE":        {code: fault.PermissionMissing},
	"PORTAL_NO_ACCESS":                {code: fault.PermissionMissing},
	"INVALID_FIELD_FOR_INSERT_UPDATE": {code: fault.PermissionMissing},

	"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": {code: fault.PermissionMissing, ref: true, access: true},
	"INVALID_CROSS_REFERENCE_KEY":                   {code: fault.SalesforceRefused, ref: true},
	"ENTITY_IS_DELETED":                             {code: fault.SalesforceRefused, ref: true},
	"FIELD_INTEGRITY_EXCEPTION":                     {code: fault.SalesforceRefused, ref: true},
	"INACTIVE_OWNER_OR_USER":                        {code: fault.SalesforceRefused, ref: true},
	"MALFORMED_ID":                                  {code: fault.Internal, ref: true},

	"FIELD_CUSTOM_VALIDATION_EXCEPTION":    {code: fault.ValidationFailed, detail: true},
	"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": {code: fault.ValidationFailed, detail: true},
	"DUPLICATES_DETECTED":                  {code: fault.ValidationFailed, detail: true},
	"TXN_SECURITY_RUNTIME":                 {code: fault.ValidationFailed, detail: true},
	"REQUIRED_FIELD_MISSING":               {code: fault.RequiredField, detail: true},
	"STRING_TOO_LONG":                      {code: fault.TextTooLong},
	"DUPLICATE_VALUE":                      {code: fault.AlreadySaved},

	"STORAGE_LIMIT_EXCEEDED":       {code: fault.StorageFull, after: 24 * time.Hour},
	"HTML_FILE_UPLOAD_NOT_ALLOWED": {code: fault.FileRefused},

	"METHOD_NOT_ALLOWED":            {code: fault.Internal},
	"MALFORMED_QUERY":               {code: fault.Internal},
	"MALFORMED_SEARCH":              {code: fault.Internal},
	"INVALID_QUERY_FILTER_OPERATOR": {code: fault.Internal},
	"JSON_PARSER_ERROR":             {code: fault.Internal},
	"LIMIT_EXCEEDED":                {code: fault.Internal},
	"EXCEEDED_ID_LIMIT":             {code: fault.Internal},
}

var (
	codeName  = regexp.MustCompile(`^[A-Z][A-Z0-9_]{2,80}$`)
	fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	errorID   = regexp.MustCompile(`ErrorId:? *([0-9-]+(?: \(-?[0-9]+\))?)`)
	// columnName and fieldList find names in messages whose "fields" is empty.
	columnName = regexp.MustCompile(`[Cc]olumn '([A-Za-z][A-Za-z0-9_]{0,79})'`)
	fieldList  = regexp.MustCompile(`fields: ([A-Za-z0-9_, ]+)`)
)

const maxDetail = 1000

// fault turns one refusal into a coded fault. What Salesforce says may repeat what it was sent,
// so of its message only an administrator's text is kept, and only as Detail.
func (e apiError) fault(op string, s subject) *fault.Error {
	m, known := meanings[e.code()]
	if !known {
		m = meaning{code: fault.SalesforceRefused}
	}
	code, after := m.code, m.after
	switch {
	case m.ref && s.refs && s.object != "ContentVersion":
		code = fault.ReferenceRefused
	case m.access && s.object == string(deliver.Email):
		code = fault.EmailRefused
	case s.object == "ContentVersion" && (m.ref || code == fault.SalesforceRefused):
		code = fault.FileRefused
	}
	msg := e.Message.V
	if e.code() == "REQUEST_LIMIT_EXCEEDED" && strings.Contains(msg, "Concurrent") {
		code, after = fault.TooManyRequests, concurrentWait
	}
	if code == fault.NotSignedIn && strings.Contains(msg, "not valid for use with the REST API") {
		return fault.New(fault.APIDisabled, op, errNotForREST)
	}
	f := fault.New(code, op, e.cause())
	f.After = after
	if m.detail {
		f.Detail, _ = shape.Prefix(clean(msg), maxDetail)
	}
	return f
}

// cause is what may be logged of a refusal: its code, field names and Salesforce's own error id.
func (e apiError) cause() error {
	code := e.code()
	if !codeName.MatchString(code) {
		code = "no error code"
	}
	if id := errorID.FindStringSubmatch(e.Message.V); id != nil && code == "UNKNOWN_EXCEPTION" {
		return fmt.Errorf("%s %s", code, id[1])
	}
	if names := e.names(); len(names) > 0 {
		return fmt.Errorf("%s on %s", code, strings.Join(names, ", "))
	}
	return errors.New(code)
}

// names returns the fields a refusal is about.
func (e apiError) names() []string {
	var names []string
	for _, n := range e.Fields.V {
		if fieldName.MatchString(n) {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		return names
	}
	switch e.code() {
	case "INVALID_FIELD":
		if m := columnName.FindStringSubmatch(e.Message.V); m != nil {
			names = append(names, m[1])
		}
	case "INVALID_FIELD_FOR_INSERT_UPDATE":
		if m := fieldList.FindStringSubmatch(e.Message.V); m != nil {
			for n := range strings.SplitSeq(m[1], ",") {
				if n = strings.TrimSpace(n); fieldName.MatchString(n) {
					names = append(names, n)
				}
			}
		}
	}
	return names
}

// refusal turns an answer that is no success into a fault.
func refusal(r request, resp *http.Response) *fault.Error {
	body := io.LimitReader(resp.Body, maxRefusal)
	f := statusFault(r.op, resp)
	// An answer of the 3xx and 4xx classes means that nothing was done. A 5xx may come from a
	// proxy in front of a server that is still at work.
	f.Unknown = r.write && resp.StatusCode >= 500
	e, html := firstError(body)
	switch {
	case html:
		if f.Code == fault.SalesforceRefused || f.Code == fault.PermissionMissing {
			f.Code = fault.NotTheServer
		}
		if resp.StatusCode == http.StatusNotFound {
			f.Err = errNoSuchPage
		}
	case e.code() != "" && resp.StatusCode >= 400:
		g := e.fault(r.op, subject{})
		g.Unknown = f.Unknown
		if f.After > g.After {
			g.After = f.After
		}
		if resp.StatusCode == http.StatusGone {
			g.Err = errVersion
		}
		// An unlisted code with a 5xx status is the server's trouble, not a refusal.
		if g.Code == fault.SalesforceRefused && resp.StatusCode >= 500 {
			g.Code = fault.ServerError
		}
		return g
	}
	return f
}

// statusFault is what an HTTP status means without a readable body.
func statusFault(op string, resp *http.Response) *fault.Error {
	code := fault.SalesforceRefused
	var cause error = fmt.Errorf("status %d", resp.StatusCode)
	switch s := resp.StatusCode; {
	case s >= 500, s == 420:
		code = fault.ServerError
	case s < 400:
		code = fault.NotTheServer
	case s == http.StatusUnauthorized:
		code = fault.NotSignedIn
	case s == http.StatusForbidden:
		code = fault.PermissionMissing
	case s == http.StatusProxyAuthRequired, s == http.StatusNotFound:
		code = fault.NotTheServer
	case s == http.StatusGone:
		code, cause = fault.ServerError, errVersion
	case s == http.StatusTooManyRequests:
		code = fault.TooManyRequests
	case s == http.StatusRequestTimeout:
		code = fault.Stalled
	case s == http.StatusRequestEntityTooLarge, s == http.StatusRequestURITooLong,
		s == http.StatusUnsupportedMediaType, s == http.StatusRequestHeaderFieldsTooLarge:
		code = fault.Internal
	}
	f := fault.New(code, op, cause)
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 && s <= 24*3600 {
		f.After = time.Duration(s) * time.Second
	}
	return f
}

// firstError reads an error answer: an array, a bare object, the one-word answer of the sign-in
// service, or a page for people.
func firstError(body io.Reader) (e apiError, html bool) {
	in := bufio.NewReader(body)
	raw, err := io.ReadAll(in)
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if len(raw) == 0 {
		return e, false
	}
	switch {
	case raw[0] == '<':
		return e, true
	case bytes.Equal(raw, []byte("Bad_OAuth_Token")):
		e.ErrorCode.V = "INVALID_SESSION_ID"
		return e, false
	case err != nil:
		return e, false
	}
	var list []apiError
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0], false
	}
	_ = json.Unmarshal(raw, &e)
	return e, false
}
