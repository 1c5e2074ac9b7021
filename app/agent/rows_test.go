package agent_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rowName is a row in the name of a test, such as TestC04C05Threads. Names with A and B are those of
// attacks as well, so such rows are told by TestFeatureA05 or by "row A05" in the test's doc; names with
// F from F09 on are those of faults.
var (
	rowName = regexp.MustCompile(`^Test((?:Feature(?:[A-M]\d\d)+)|(?:[C-EG-M]\d\d|F0[1-8])+)`)
	rowDoc  = regexp.MustCompile(`\brows? ((?:[A-M]\d\d(?:, | and )?)+)`)
	rowID   = regexp.MustCompile(`[A-M]\d\d`)
)

// TestRows demands a test for each row of testdata/rows.txt; with -v it prints them.
func TestRows(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/rows.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOfRows(t)
	for line := range strings.Lines(string(list)) {
		id, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !rowID.MatchString(id) {
			continue
		}
		slices.Sort(tests[id])
		t.Logf("%s %s: %s", id, what, strings.Join(tests[id], " "))
		if len(tests[id]) == 0 {
			t.Errorf("row %s has no test: %s", id, what)
		}
	}
}

// testsOfRows reads the tests of the repository and returns their names by row.
func testsOfRows(t *testing.T) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			ids := ""
			for _, m := range [][]string{rowName.FindStringSubmatch(f.Name.Name), rowDoc.FindStringSubmatch(f.Doc.Text())} {
				if m != nil {
					ids += m[1]
				}
			}
			dir, _ := filepath.Rel(root, filepath.Dir(path))
			for _, id := range rowID.FindAllString(ids, -1) {
				tests[id] = append(tests[id], filepath.ToSlash(dir)+"."+f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
