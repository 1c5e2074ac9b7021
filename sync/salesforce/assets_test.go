package salesforce

import (
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hawser/sync/deliver"
	"hawser/sync/match"
	"hawser/sync/salesforce/salesforcetest"
)

// packageDir is the source package an administrator deploys, seen from this package.
const packageDir = "../../assets/salesforce/force-app/main/default"

type customField struct {
	Name          string `xml:"fullName"`
	Type          string `xml:"type"`
	Length        int    `xml:"length"`
	ExternalID    bool   `xml:"externalId"`
	Unique        bool   `xml:"unique"`
	CaseSensitive bool   `xml:"caseSensitive"`
	Required      bool   `xml:"required"`
}

func readXML(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("the package lacks what the client needs: %v", err)
	}
	if err := xml.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// written returns every field the client writes, by object, as the org saw them; all that the
// client knows how to write is asked for.
func written(t *testing.T) map[string][]string {
	t.Helper()
	org := &salesforcetest.Org{External: true, MailKey: true, SharedActivities: true}
	w := newWorld(t, org)
	who := match.Candidate{Type: match.Contact, ID: org.AddContact("Ann", "ann@acme.example", "")}
	rec := mailOf(1)
	rec.Links = match.Links{From: &who, To: []match.Candidate{who}, Cc: []match.Candidate{who}, Bcc: []match.Candidate{who}, RelatedTo: org.AddAccount("Acme", "")}
	w.warm(t)
	m := maker{sc: w.schema, site: true, zone: w.cfg.Now().Location()}
	out := map[string][]string{}
	for _, kind := range []deliver.Kind{deliver.Email, deliver.Task} {
		rec.Kind = kind
		for name := range m.record(rec) {
			out[string(kind)] = append(out[string(kind)], name)
		}
	}
	return out
}

// TestPackageHasWhatTheClientWrites: a custom field that the client writes and the package does
// not bring would never exist in any org.
func TestPackageHasWhatTheClientWrites(t *testing.T) {
	t.Parallel()
	var perms struct {
		Fields []struct {
			Field    string `xml:"field"`
			Readable bool   `xml:"readable"`
			Editable bool   `xml:"editable"`
		} `xml:"fieldPermissions"`
	}
	readXML(t, filepath.Join(packageDir, "permissionsets/Hawser_Mail_Capture.permissionset-meta.xml"), &perms)
	found := 0
	for object, names := range written(t) {
		folder := object
		if object == taskType {
			folder = "Activity" // custom fields of tasks are fields of activities
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "__c") {
				continue
			}
			found++
			var f customField
			readXML(t, filepath.Join(packageDir, "objects", folder, "fields", name+".field-meta.xml"), &f)
			if want := (customField{Name: name, Type: "Text", Length: 255, ExternalID: true, Unique: true}); f != want {
				t.Errorf("%s: got %+v, want %+v", folder, f, want)
			}
			granted := false
			for _, p := range perms.Fields {
				granted = granted || p.Field == object+"."+name && p.Readable && p.Editable
			}
			if !granted {
				t.Errorf("the permission set does not grant %s.%s", object, name)
			}
		}
	}
	if found != 2 {
		t.Errorf("the client writes %d custom fields, want the key on two objects", found)
	}
}

// TestEveryCustomFieldNamedHereIsInThePackage looks at the source, so that a field which the test
// above does not get to see is missed as well.
func TestEveryCustomFieldNamedHereIsInThePackage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	custom := regexp.MustCompile(`[A-Za-z][A-Za-z0-9_]*__c\b`)
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				names = append(names, custom.FindAllString(s, -1)...)
			}
			return true
		})
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if m, _ := filepath.Glob(filepath.Join(packageDir, "objects", "*", "fields", name+".field-meta.xml")); len(m) == 0 {
			t.Errorf("%s is nowhere in the package", name)
		}
	}
	if !slices.Contains(names, keyField) {
		t.Error("found nothing: the search is broken")
	}
}
