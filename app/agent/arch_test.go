package agent_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	maxFunction = 60
	maxFile     = 400
	maxParams   = 4 // besides ctx
)

// root is the repository's top, seen from this package.
const root = "../.."

// layer says what a package of ours may import of ours. "leaf" packages may import leaves only.
var layers = []struct {
	name     string
	packages []string
	may      []string // names of layers
}{
	{"leaf", []string{"sync/alarm", "sync/capture", "sync/fault", "auth/secret", "auth/reqsig", "store/sqlitedb", "assets", "app/text"}, []string{"leaf"}},
	{"logic", []string{"sync/rules", "sync/mailparse", "sync/shape", "sync/match", "sync/engine", "sync/deliver", "sync/busy", "auth/site", "auth/provision", "auth/enrol"}, []string{"leaf", "logic"}},
	{"adapter", []string{"sync/imapsource", "sync/calsource", "sync/salesforce", "auth/oauth", "auth/keyring", "store/agentdb", "store/tenantdb"}, []string{"leaf", "logic"}},
	{"front", []string{"app/control", "app/config", "app/logging", "app/desktop"}, []string{"leaf"}},
	{"face", []string{"app/cli", "app/tray", "app/notice", "app/window"}, []string{"leaf", "front"}},
	{"page", []string{"app/server/admin"}, []string{"leaf", "logic"}},
	{"root", []string{"app/agent", "app/server"}, []string{"leaf", "logic", "adapter", "front", "face", "page"}},
}

// onlyIn names the packages that may import a library. Nobody else may.
var onlyIn = map[string][]string{
	"fyne.io/fyne/v2":                    {"app/window"},
	"fyne.io/systray":                    {"app/tray"},
	"github.com/emersion/go-imap/v2":     {"sync/imapsource", "sync/sourcetest"},
	"github.com/jhillyerd/enmime/v2":     {"sync/mailparse", "sync/sourcetest"},
	"github.com/zalando/go-keyring":      {"auth/keyring"},
	"golang.org/x/oauth2":                {"auth/oauth", "app/server/admin"},
	"github.com/go-text/typesetting":     {"app/window"},
	"github.com/jackc/pgx/v5":            {"store/tenantdb"},
	"github.com/microcosm-cc/bluemonday": {"sync/shape"},
	"modernc.org/sqlite":                 {"store/sqlitedb"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Imports    []string
	GoFiles    []string
	Deps       []string
}

// list asks the go command about packages.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Doc,Imports,GoFiles,Deps"}, args...)...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// fake reports whether a package of ours only exists for tests and the sandbox.
func fake(path string) bool {
	for _, part := range strings.Split(path, "/") {
		if strings.HasSuffix(part, "test") {
			return true
		}
	}
	return false
}

func layerOf(path string) (string, []string) {
	for _, l := range layers {
		for _, p := range l.packages {
			if p == path {
				return l.name, l.may
			}
		}
	}
	return "", nil
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		self := strings.TrimPrefix(p.ImportPath, "hawser/")
		for _, imp := range p.Imports {
			for lib, users := range onlyIn {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !under(self, users) {
					t.Errorf("%s imports %s, which only %v may", self, imp, users)
				}
			}
			if ours, ok := strings.CutPrefix(imp, "hawser/"); ok {
				if err := mayImport(self, ours); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func under(path string, parents []string) bool {
	for _, p := range parents {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// mayImport holds one import between two packages of ours against the layers.
func mayImport(from, to string) error {
	switch {
	case strings.HasPrefix(from, "app/cmd/sandbox"), fake(from):
		return nil
	case fake(to):
		return fmt.Errorf("%s imports %s, which exists for tests", from, to)
	case strings.HasPrefix(from, "app/cmd/"):
		return nil
	}
	layer, may := layerOf(from)
	target, _ := layerOf(to)
	if layer == "" || target == "" {
		return fmt.Errorf("%s imports %s, and one of them has no place in the layers of arch_test.go", from, to)
	}
	for _, m := range may {
		if m == target {
			return nil
		}
	}
	return fmt.Errorf("%s (%s) imports %s (%s)", from, layer, to, target)
}

func TestPackageDocs(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./...") {
		if len(p.GoFiles) > 0 && len(p.Doc) < 40 {
			t.Errorf("%s has no package doc worth the name: %q", p.ImportPath, p.Doc)
		}
	}
}

// TestShippedBinary keeps test code and the backend out of the agent.
func TestShippedBinary(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./app/cmd/hawser") {
		for _, dep := range p.Deps {
			ours, mine := strings.CutPrefix(dep, "hawser/")
			if dep == "testing" || mine && (fake(ours) || ours == "store/tenantdb") || strings.HasPrefix(dep, "fyne.io/fyne/") {
				t.Errorf("the agent is linked with %s", dep)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "dist") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			checkFile(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(f) {
		return
	}
	if n := fset.File(f.Pos()).LineCount(); n > maxFile {
		t.Errorf("%s has %d lines, more than %d", path, n, maxFile)
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunction {
			t.Errorf("%s: %s has %d lines, more than %d", path, fn.Name.Name, n, maxFunction)
		}
		if n := params(fn); n > maxParams {
			t.Errorf("%s: %s has %d parameters, more than %d", path, fn.Name.Name, n, maxParams)
		}
	}
}

// params counts a function's parameters, apart from its context or, in what only tests call, its test.
func params(fn *ast.FuncDecl) int {
	n := 0
	for _, field := range fn.Type.Params.List {
		if sel, ok := field.Type.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Context" || sel.Sel.Name == "TB") {
			continue
		}
		n += max(1, len(field.Names))
	}
	return n
}
