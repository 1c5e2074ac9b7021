package salesforcetest

import "errors"

// Literals returns the string literals of a SOQL statement, unescaped and in order, or why the
// statement is none. Tests hold what they send against it.
func Literals(statement string) ([]string, error) {
	if _, err := parseSOQL(statement); err != nil {
		return nil, errors.New(err.code + ": " + err.text)
	}
	toks, err := lex(statement)
	if err != nil {
		return nil, errors.New(err.code + ": " + err.text)
	}
	var out []string
	for _, t := range toks {
		if t.kind == tokString {
			out = append(out, t.text)
		}
	}
	return out, nil
}
