package salesforce

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hawser/sync/fault"
)

var (
	anEmail    = subject{object: mailType}
	anEmailRef = subject{object: mailType, refs: true}
	aTask      = subject{object: taskType}
	aTaskRef   = subject{object: taskType, refs: true}
	aFile      = subject{object: fileType, refs: true}
)

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		s             subject
		want          fault.Code
	}{
		{"INVALID_SESSION_ID", "Session expired or invalid", subject{}, fault.NotSignedIn},
		{"INVALID_SESSION_ID", "This session is not valid for use with the REST API", subject{}, fault.APIDisabled},
		{"INVALID_AUTH_HEADER", "", subject{}, fault.NotSignedIn},
		{"INVALID_JWT_FORMAT", "", subject{}, fault.NotSignedIn},
		{"API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.", subject{}, fault.APIDisabled},
		{"API_CURRENTLY_DISABLED", "", subject{}, fault.ServerError},
		{"REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", subject{}, fault.LimitReached},
		{"REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", subject{}, fault.TooManyRequests},
		{"REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", subject{}, fault.TooManyRequests},
		{"SERVER_UNAVAILABLE", "", subject{}, fault.ServerError},
		{"UNKNOWN_EXCEPTION", "An unexpected error occurred. ErrorId: 123-456", subject{}, fault.ServerError},
		{"UNABLE_TO_LOCK_ROW", "", anEmail, fault.RecordLocked},
		{"QUERY_TIMEOUT", "", subject{}, fault.ServerError},
		{"INVALID_QUERY_LOCATOR", "", subject{}, fault.ServerError},
		{"UNSUPPORTED_API_VERSION", "", subject{}, fault.ServerError},
		{"INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "", aTask, fault.OrgReadOnly},
		{"INSUFFICIENT_ACCESS", "", aTask, fault.PermissionMissing},
		{"INSUFFICIENT_ACCESS", "", anEmail, fault.EmailRefused},
		{"INSUFFICIENT_ACCESS_OR_READONLY", "", anEmailRef, fault.EmailRefused},
		{"INSUFFICIENT_ACCESS_OR_READONLY", "", aTaskRef, fault.PermissionMissing},
		{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", anEmailRef, fault.ReferenceRefused},
		{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", anEmail, fault.EmailRefused},
		{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", aTaskRef, fault.ReferenceRefused},
		{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", aTask, fault.PermissionMissing},
		{"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", aFile, fault.FileRefused},
		{"INVALID_CROSS_REFERENCE_KEY", "", aTaskRef, fault.ReferenceRefused},
		{"ENTITY_IS_DELETED", "", anEmailRef, fault.ReferenceRefused},
		{"ENTITY_IS_DELETED", "", aFile, fault.FileRefused},
		{"FIELD_INTEGRITY_EXCEPTION", "", aTaskRef, fault.ReferenceRefused},
		{"FIELD_INTEGRITY_EXCEPTION", "", aTask, fault.SalesforceRefused},
		{"INACTIVE_OWNER_OR_USER", "", anEmailRef, fault.ReferenceRefused},
		{"MALFORMED_ID", "", subject{}, fault.Internal},
		{"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger", aTask, fault.ValidationFailed},
		{"FIELD_CUSTOM_VALIDATION_EXCEPTION", "rule", aTask, fault.ValidationFailed},
		{"DUPLICATES_DETECTED", "Use one of these records?", aTask, fault.ValidationFailed},
		{"TXN_SECURITY_RUNTIME", "", aTask, fault.ValidationFailed},
		{"REQUIRED_FIELD_MISSING", "Required fields are missing: [X__c]", aTask, fault.RequiredField},
		{"STRING_TOO_LONG", "Subject: data value too large: very private (max length=255)", aTask, fault.TextTooLong},
		{"DUPLICATE_VALUE", "", aTask, fault.AlreadySaved},
		{"INVALID_FIELD", "", aTask, fault.PermissionMissing},
		{"INVALID_FIELD_FOR_INSERT_UPDATE", "", anEmail, fault.PermissionMissing},
		{"INVALID_TYPE", "", anEmail, fault.EmailRefused},
		{"INVALID_TYPE", "", aTask, fault.PermissionMissing},
		{"NOT_FOUND", "", anEmail, fault.EmailRefused},
		{"COMMUNITY_NOT_ACCESSIBLE", "", aTask, fault.PermissionMissing},
		{"PORTAL_NO_ACCESS", "", aTask, fault.PermissionMissing},
		{"FUNCTIONALITY_NOT_ENABLED", "", aTask, fault.PermissionMissing},
		{"LICENSE_LIMIT_EXCEEDED", "", anEmail, fault.EmailRefused},
		{"STORAGE_LIMIT_EXCEEDED", "", aFile, fault.StorageFull},
		{"HTML_FILE_UPLOAD_NOT_ALLOWED", "", aFile, fault.FileRefused},
		{"INVALID_EMAIL_ADDRESS", "Email: invalid email address: very private", anEmail, fault.SalesforceRefused},
		{"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", aTask, fault.SalesforceRefused},
		{"ENTITY_IS_LOCKED", "", aTask, fault.SalesforceRefused},
		{"MALFORMED_QUERY", "", subject{}, fault.Internal},
		{"JSON_PARSER_ERROR", "", subject{}, fault.Internal},
		{"EXCEEDED_ID_LIMIT", "", subject{}, fault.Internal},
		{"PROCESSING_HALTED", "", anEmail, fault.ServerError},
		{"A_CODE_OF_TOMORROW", "very private", anEmail, fault.SalesforceRefused},
		{"A_CODE_OF_TOMORROW", "very private", aFile, fault.FileRefused},
		{"very private", "very private", anEmail, fault.SalesforceRefused},
		{"", "very private", anEmail, fault.SalesforceRefused},
	} {
		for _, key := range []string{"errorCode", "statusCode"} {
			var e apiError
			b, err := json.Marshal(map[string]any{key: c.code, "message": c.message, "fields": []string{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			f := e.fault("op", c.s)
			if f.Code != c.want {
				t.Errorf("%s %q %+v: got %s, want %s", c.code, c.message, c.s, f.Code, c.want)
			}
			if strings.Contains(f.Error(), "private") {
				t.Errorf("%s: content in %q", c.code, f)
			}
			if m := meanings[c.code]; !m.detail && f.Detail != "" {
				t.Errorf("%s: detail %q", c.code, f.Detail)
			}
		}
	}
}

// TestEveryMeaningHasAKnownCode keeps the table within the words of package fault.
func TestEveryMeaningHasAKnownCode(t *testing.T) {
	t.Parallel()
	known := map[fault.Code]bool{}
	for _, c := range fault.Codes() {
		known[c] = true
	}
	for name, m := range meanings {
		if !known[m.code] || !codeName.MatchString(name) {
			t.Errorf("%s means %q", name, m.code)
		}
	}
}

func TestErrorIDIsKept(t *testing.T) {
	t.Parallel()
	var e apiError
	e.ErrorCode.V, e.Message.V = "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1 ErrorId: 123-456 (-99)"
	if f := e.fault("op", subject{}); !strings.Contains(f.Error(), "123-456 (-99)") {
		t.Errorf("got %v", f)
	}
}

func TestAnswersWithoutAnErrorCode(t *testing.T) {
	t.Parallel()
	const page = "<!DOCTYPE html><html>very private</html>"
	for _, c := range []struct {
		status  int
		body    string
		want    fault.Code
		unknown bool // for a write
	}{
		{500, "", fault.ServerError, true}, {502, page, fault.ServerError, true}, {503, page, fault.ServerError, true}, {504, "gateway", fault.ServerError, true},
		{420, "", fault.ServerError, false}, {420, page, fault.ServerError, false}, {429, "", fault.TooManyRequests, false}, {408, "", fault.Stalled, false},
		{404, page, fault.NotTheServer, false}, {403, page, fault.NotTheServer, false}, {400, page, fault.NotTheServer, false}, {407, "", fault.NotTheServer, false},
		{403, "", fault.PermissionMissing, false}, {400, "", fault.SalesforceRefused, false}, {400, `{"message":"x"}`, fault.SalesforceRefused, false},
		{410, "", fault.ServerError, false}, {410, `[{"errorCode":"UNSUPPORTED_API_VERSION"}]`, fault.ServerError, false},
		{413, "", fault.Internal, false}, {414, "", fault.Internal, false}, {415, "", fault.Internal, false}, {431, "", fault.Internal, false},
		{401, "", fault.NotSignedIn, false}, {401, page, fault.NotSignedIn, false}, {403, "Bad_OAuth_Token", fault.NotSignedIn, false},
		{302, "", fault.NotTheServer, false}, {304, "", fault.NotTheServer, false},
		{400, `{"errorCode":"JSON_PARSER_ERROR","message":"bare"}`, fault.Internal, false},
		{500, `[{"errorCode":"A_CODE_OF_TOMORROW","message":""}]`, fault.ServerError, true},
		{500, `[{"errorCode":"UNKNOWN_EXCEPTION","message":""}]`, fault.ServerError, true},
		{503, `[{"errorCode":"SERVER_UNAVAILABLE","message":""}]`, fault.ServerError, true},
		{400, `[{"errorCode":`, fault.SalesforceRefused, false}, {400, `[]`, fault.SalesforceRefused, false}, {400, `[5]`, fault.SalesforceRefused, false},
		{200, "", fault.ServerError, true}, {200, page, fault.NotTheServer, true}, {200, `{"compositeResponse":[`, fault.ServerError, true}, {200, `{"compositeResponse":7}`, fault.ServerError, true},
		{204, "", fault.ServerError, true},
	} {
		for _, write := range []bool{true, false} {
			w := withHandler(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(c.status)
				if c.status != 204 && c.status != 304 {
					_, _ = rw.Write([]byte(c.body))
				}
			})
			r := collectionRequest("op", "67.0", 0, nil)
			r.write = write
			r.answer = discardComposite
			err := w.do(t.Context(), r)
			f := fault.Of(err)
			if f == nil || f.Code != c.want || f.Unknown != (c.unknown && write) {
				t.Errorf("%d %q write %t: got %v unknown %t", c.status, c.body, write, f, f != nil && f.Unknown)
				continue
			}
			if strings.Contains(f.Error(), "private") {
				t.Errorf("%d: content in %q", c.status, f)
			}
		}
	}
}

func TestRetryAfterIsHeard(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"90": 90 * time.Second, "": 0, "-5": 0, "soon": 0, "99999999": 0} {
		w := withHandler(t, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", header)
			reply(rw, 503, "")
		})
		r := request{op: "op", method: http.MethodGet, path: "/services/data/x"}
		if f := fault.Of(w.do(t.Context(), r)); f.After != want {
			t.Errorf("%q: waits %v", header, f.After)
		}
	}
}

func TestTextInsteadOfJSONIsNotTheServer(t *testing.T) {
	t.Parallel()
	w := withHandler(t, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("[] but plain")) })
	wantFault(t, w.do(t.Context(), request{op: "op", method: http.MethodGet, path: "/x", answer: discardComposite}), fault.NotTheServer, false)
}

func TestUnansweredTLS(t *testing.T) {
	t.Parallel()
	w := newWorldTLS(t)
	_, err := w.Version(t.Context())
	wantFault(t, err, fault.CertificateWrong, false)
}

func TestLimitInfo(t *testing.T) {
	t.Parallel()
	for header, want := range map[string][2]int{
		"api-usage=18/5000": {18, 5000}, "api-usage=18/5000; per-app-api-usage=17/250(appName=x)": {18, 5000},
		"per-app-api-usage=17/250(appName=x)": {}, "": {}, "api-usage=x/y": {}, "api-usage=99999999999999999999/1": {},
	} {
		w := withHandler(t, nil)
		h := http.Header{"Sforce-Limit-Info": {header}}
		used, limit := w.count(request{path: "/services/data/v1"}, h)
		if used != want[0] || limit != want[1] || w.calls() != 1 {
			t.Errorf("%q: got %d/%d, %d calls", header, used, limit, w.calls())
		}
	}
}

func TestDuplicateOf(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"duplicate value found: Mail_Key__c duplicates value on record with id: 02s000000000001AAA":     "02s000000000001AAA",
		"duplicate value found: Mail_Key__c duplicates value on record with id: 02s000000000001":        "02s000000000001AAA",
		"doppelter Wert gefunden: Mail_Key__c dupliziert den Wert im Datensatz mit ID: 02s00000000000B": id18("02s00000000000B"),
		"duplicate value found: Mail_Key__c duplicates value on record with id: <unknown>":              "",
		"duplicate value found: Other__c duplicates value on record with id: 02s000000000001AAA":        "",
		"duplicate value found: Mail_Key__c duplicates value on record with id: 003000000000001AAA":     "",
	} {
		var e apiError
		e.StatusCode.V, e.Message.V = "DUPLICATE_VALUE", message
		if got := duplicateOf(e, mailType); got != want {
			t.Errorf("%s: got %q", message, got)
		}
	}
}

func FuzzFirstError(f *testing.F) {
	for _, s := range []string{`[{"errorCode":"X","message":"m","fields":["A"]}]`, `{"errorCode":5}`, "<html>", "Bad_OAuth_Token", "", "[null]", `[{"errors":[{"fields":{"a":1}}]}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, _ := firstError(bytes.NewReader(b))
		for _, s := range []subject{{}, anEmailRef, aFile} {
			got := e.fault("op", s)
			if got.Code == "" || got.Code.Class() == 0 {
				t.Errorf("no code for %q", b)
			}
			// The error is for logs: nothing but names and numbers of Salesforce's own.
			if msg := strings.TrimPrefix(got.Error(), "op: "+string(got.Code)); strings.ContainsAny(msg, "@\n<>\x00'\"") {
				t.Errorf("loggable text %q from %q", msg, b)
			}
		}
	})
}

func FuzzComposite(f *testing.F) {
	ok := `{"body":[{"id":"02s000000000001AAA","success":true,"errors":[]}],"httpHeaders":{},"httpStatusCode":200,"referenceId":"a"}`
	rowsPart := `{"body":{"totalSize":1,"done":false,"nextRecordsUrl":"/services/data/v67.0/query/01g-1","records":[{"Id":"1","x":null}]},"httpStatusCode":200,"referenceId":"b"}`
	schemaPart := `{"body":{"createable":true,"queryable":true,"fields":[{"name":"Status","type":"picklist","picklistValues":[{"active":true,"value":"x"}]}]},"httpStatusCode":200,"referenceId":"c"}`
	f.Add([]byte(fmt.Sprintf(`{"compositeResponse":[%s,%s,%s]}`, ok, rowsPart, schemaPart)))
	f.Add([]byte(`{"compositeResponse":[{"body":[{"errorCode":"X"}],"httpStatusCode":400,"referenceId":"a"},{"body":null},{"body":{"errorCode":"X"}}]}`))
	f.Add([]byte(`{"compositeResponse":[{"body":[[]]},{"body":{"records":[{},`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var saves []saved
		o := &object{name: taskType}
		n := 0
		row := func(dec *json.Decoder) error { n++; return skip(dec) }
		parts, err := composite(bytes.NewReader(b), []string{"a", "b", "c"}, []reader{results(&saves), rows(row), describeReader(o)})
		if err == nil && (len(parts) != 3 || parts[0].ref != "a" || len(saves) > collection+1) {
			t.Errorf("accepted %q", b)
		}
		if err != nil {
			got := answerFault(request{op: "op", write: true}, err)
			if !got.Unknown || strings.ContainsAny(strings.TrimPrefix(got.Error(), "op: "), "\"'@<") {
				t.Errorf("%v from %q", got, b)
			}
		}
	})
}
