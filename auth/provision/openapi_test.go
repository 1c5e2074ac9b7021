package provision

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/auth/reqsig"
)

var update = flag.Bool("update", false, "write openapi.json from the types and the table of calls")

// operation is what the description says of a call besides its roles.
type operation struct {
	id, text string
	in, out  any
	status   int // of the success
	problems []int
}

var operations = map[string]operation{
	"PUT /v1/users/{id}":              {"putUser", "Provision a user under an external id of your own, or change one. The same values again change nothing. Account and mailbox cannot change while a computer is registered.", UserIn{}, UserOut{}, 201, []int{400, 404, 409, 413}},
	"GET /v1/users/{id}":              {"getUser", "One user.", nil, UserOut{}, 200, []int{404}},
	"GET /v1/users":                   {"listUsers", "A page of users by external id, with their computers.", nil, UserList{}, 200, []int{400}},
	"POST /v1/users/{id}/suspend":     {"suspendUser", "Stop the user's agents. They keep what they have. Repeating it changes nothing.", nil, UserOut{}, 200, []int{404, 409}},
	"POST /v1/users/{id}/resume":      {"resumeUser", "End a suspension.", nil, UserOut{}, 200, []int{404, 409}},
	"POST /v1/users/{id}/deprovision": {"deprovisionUser", "End a user: the binding is released, the agents revoke their tokens, wipe everything and report. Salesforce records stay.", nil, UserOut{}, 200, []int{404}},
	"POST /v1/users/{id}/code":        {"issueCode", "Make a one-time enrolment code for the user. It lives 15 minutes, and ends the user's older codes.", nil, CodeOut{}, 201, []int{404, 409}},
	"GET /v1/counts":                  {"getCounts", "Numbers of users, computers and items. There is no content to be had.", nil, CountsOut{}, 200, []int{400}},
	"PUT /v1/policy":                  {"putPolicy", "Hand in a policy, signed with a private key that the tenant keeps.", PolicyEnvelope{}, struct{}{}, 200, []int{400, 404, 409, 422}},
	"GET /v1/policy":                  {"getPolicy", "The signed policy that is meant for this computer.", nil, PolicyEnvelope{}, 200, []int{404}},
	"POST /v1/register":               {"register", "Register a computer whose user proves the Salesforce account and the mailbox. The same registration and secret again give the same device.", RegisterIn{}, RegisterOut{}, 200, []int{400, 403, 409, 410, 503}},
	"GET /v1/setup":                   {"setup", "What a computer needs before its user can sign in.", nil, SetupOut{}, 200, []int{410}},
	"POST /v1/checkin":                {"checkIn", "Report counts and hear what the company wants.", CheckInIn{}, CheckInOut{}, 200, []int{400}},
	"POST /v1/wiped":                  {"wiped", "Report that a wipe order was carried out. The device key is dead afterwards.", CheckInIn{}, struct{}{}, 200, []int{400, 404}},
	"POST /v1/leave":                  {"leave", "Unregister this computer. The device key is dead afterwards.", nil, struct{}{}, 200, nil},
}

var queries = map[string][]string{"GET /v1/users": {"group", "after", "limit"}, "GET /v1/counts": {"group"}}

type object = map[string]any

// describe builds the description out of the routes and the wire types.
func describe(t *testing.T) []byte {
	schemas := object{}
	paths := object{}
	for _, rt := range routes {
		call := rt.method + " " + rt.path
		op, ok := operations[call]
		if !ok {
			t.Fatalf("%s is not described", call)
		}
		o := object{"operationId": op.id, "description": op.text, "x-roles": rt.roles, "responses": responses(op, schemas)}
		var params []object
		if strings.Contains(rt.path, "{id}") {
			params = append(params, object{"name": "id", "in": "path", "required": true, "schema": object{"type": "string", "pattern": externalID.String()}})
		}
		for _, q := range queries[call] {
			kind := "string"
			if q == "limit" {
				kind = "integer"
			}
			params = append(params, object{"name": q, "in": "query", "schema": object{"type": kind}})
		}
		if params != nil {
			o["parameters"] = params
		}
		if op.in != nil {
			o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(op.in), schemas)}}}
		}
		item, _ := paths[rt.path].(object)
		if item == nil {
			item = object{}
			paths[rt.path] = item
		}
		item[strings.ToLower(rt.method)] = o
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "hawserd provisioning", "version": "1", "description": "Every request is signed with HTTP Message Signatures (RFC 9421): " +
			"label sig1, alg hmac-sha256, tag " + reqsig.Tag + ", over @method @authority @path @query content-digest content-type, with created, nonce, keyid. " +
			"Content-Type is application/json and Content-Digest (RFC 9530, sha-256) is there, with an empty body too. A call that a key's role does not have does not exist for it: 404."},
		"security": []object{{"signature": []string{}}},
		"paths":    paths,
		"components": object{"schemas": schemas, "securitySchemes": object{"signature": object{
			"type": "http", "scheme": "signature", "description": "RFC 9421. Roles: tenant, deployment, code, device."}}},
	}
	out, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func responses(op operation, schemas object) object {
	problem := object{"description": "See code.", "content": object{"application/problem+json": object{"schema": schemaOf(reflect.TypeFor[Problem](), schemas)}}}
	out := object{}
	success := object{"description": "Done.", "content": object{"application/json": object{"schema": schemaOf(reflect.TypeOf(op.out), schemas)}}}
	out[fmt.Sprint(op.status)] = success
	if op.id == "putUser" {
		out["200"] = success
	}
	for _, status := range append([]int{401}, op.problems...) {
		out[fmt.Sprint(status)] = problem
	}
	return out
}

// schemaOf describes a type; structs with a name become components.
func schemaOf(t reflect.Type, schemas object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), schemas)
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), schemas)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), schemas)}
	case reflect.Struct:
	default:
		panic("no schema for " + t.String())
	}
	if t.Name() != "" && schemas[t.Name()] != nil {
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	props, required := object{}, []string{}
	for i := range t.NumField() {
		name, opts, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		props[name] = schemaOf(t.Field(i).Type, schemas)
		if opts == "" {
			required = append(required, name)
		}
	}
	s := object{"type": "object", "additionalProperties": false, "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	if t.Name() == "" {
		return s
	}
	schemas[t.Name()] = s
	return object{"$ref": "#/components/schemas/" + t.Name()}
}

func TestOpenAPIDescribesTheHandlers(t *testing.T) {
	t.Parallel()
	want := describe(t)
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(OpenAPI, want) {
		t.Error("openapi.json does not describe the handlers: go test ./auth/provision -run OpenAPI -update")
	}
	if len(operations) != len(routes) {
		t.Errorf("%d calls are described, %d exist", len(operations), len(routes))
	}
}

// Described holds an answer of a live server against the description, for the tests of the calls.
// It returns what does not fit, or "".
func Described(method, path string, status int, body []byte) string {
	var doc object
	if err := json.Unmarshal(OpenAPI, &doc); err != nil {
		return err.Error()
	}
	for _, rt := range routes {
		if _, ok := rt.match(method, path); !ok {
			continue
		}
		op := doc["paths"].(object)[rt.path].(object)[strings.ToLower(method)].(object)
		resp, ok := op["responses"].(object)[fmt.Sprint(status)].(object)
		if !ok {
			return fmt.Sprintf("%s %s answers %d, which is not described", method, rt.path, status)
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return err.Error()
		}
		for _, media := range resp["content"].(object) {
			return fits(doc, media.(object)["schema"].(object), value, method+" "+rt.path)
		}
	}
	return ""
}

// fits checks a value against the few words of JSON Schema that the description uses.
func fits(doc, schema object, value any, at string) string {
	if ref, ok := schema["$ref"].(string); ok {
		schema = doc["components"].(object)["schemas"].(object)[ref[strings.LastIndexByte(ref, '/')+1:]].(object)
	}
	switch schema["type"] {
	case "string":
		if _, ok := value.(string); !ok {
			return at + " is no string"
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return at + " is no boolean"
		}
	case "integer":
		if n, ok := value.(float64); !ok || n != float64(int64(n)) {
			return at + " is no integer"
		}
	case "array":
		list, ok := value.([]any)
		if !ok {
			return at + " is no list"
		}
		for _, one := range list {
			if bad := fits(doc, schema["items"].(object), one, at+"[]"); bad != "" {
				return bad
			}
		}
	case "object":
		return fitsObject(doc, schema, value, at)
	}
	return ""
}

func fitsObject(doc, schema object, value any, at string) string {
	o, ok := value.(object)
	if !ok {
		return at + " is no object"
	}
	props, _ := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(o)) {
		member, known := props[name].(object)
		if !known {
			if member, known = schema["additionalProperties"].(object); !known {
				return at + " has " + name + ", which is not described"
			}
		}
		if bad := fits(doc, member, o[name], at+"."+name); bad != "" {
			return bad
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := o[name.(string)]; !ok {
			return at + " lacks " + name.(string)
		}
	}
	return ""
}
