package agent_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hawser/app/control"
)

// TestM02CommandLineParity: whoever cannot read the window has a command for each of its actions. What
// the window asks the agent for, the command line asks for as well.
func TestM02CommandLineParity(t *testing.T) {
	t.Parallel()
	methods := map[string]bool{}
	for i, agent := 0, reflect.TypeFor[control.Agent](); i < agent.NumMethod(); i++ {
		methods[agent.Method(i).Name] = true
	}
	window, commands := asked(t, "app/window", methods), asked(t, "app/cli", methods)
	if len(window) < 25 {
		t.Fatalf("the window asks for %v only", window)
	}
	delete(window, "Watch") // what it shows is that of "hawser status"
	for name := range window {
		if !commands[name] {
			t.Errorf("no command does %s, which the window does", name)
		}
	}
}

// asked are the methods of the agent that a package calls on its connection.
func asked(t *testing.T, dir string, methods map[string]bool) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		imports := map[string]bool{}
		for _, i := range file.Imports {
			imports[strings.Trim(i.Path.Value[strings.LastIndexByte(i.Path.Value, '/')+1:], `"`)] = true
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			on, ok := sel.X.(*ast.Ident)
			if ok && methods[sel.Sel.Name] && !imports[on.Name] && len(call.Args) > 0 && takesContext(call.Args[0]) {
				found[sel.Sel.Name] = true
			}
			return true
		})
	}
	return found
}

// takesContext reports whether an argument looks like a context, which every question to the agent has.
func takesContext(arg ast.Expr) bool {
	switch arg := arg.(type) {
	case *ast.Ident:
		return strings.Contains(strings.ToLower(arg.Name), "ctx")
	case *ast.SelectorExpr:
		return arg.Sel.Name == "ctx"
	case *ast.CallExpr:
		sel, ok := arg.Fun.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Context"
	}
	return false
}
