package salesforcetest

import (
	"strconv"
	"strings"
)

// statement is a parsed SOQL query. Names are as written: they are resolved when it runs.
type statement struct {
	count  bool // SELECT COUNT()
	items  []item
	from   token
	alias  string
	where  expr
	order  []ordering
	limit  int // -1: none
	offset int
	all    bool // queryAll: deleted rows too
}

// item is one selected column: a path, a subquery or COUNT(path).
type item struct {
	path  token
	sub   *statement
	count bool
}

type ordering struct {
	path      token
	desc      bool
	nullsLast bool
}

// expr is a condition: *logic, *negation or *condition.
type expr interface{}

type logic struct {
	or    bool
	parts []expr
}

type negation struct{ of expr }

// condition is path operator value(s).
type condition struct {
	path   token
	op     string // = != < > <= >= like in notin
	values []token
	sub    *statement // in, notin: the values are what it selects
	opPos  int
}

const maxStatement = 100_000

type parser struct {
	toks  []token
	at    int
	depth int
}

// parseSOQL reads a whole statement.
func parseSOQL(s string) (*statement, *soqlError) {
	if units(s) > maxStatement {
		return nil, &soqlError{code: "MALFORMED_QUERY", text: "SOQL statements cannot be longer than 100000 characters.", bare: true}
	}
	toks, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks}
	q, err := p.query(false)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, p.unexpected(t)
	}
	return q, nil
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) acceptSign(s string) bool {
	if p.peek().sign(s) {
		p.at++
		return true
	}
	return false
}

func (p *parser) unexpected(t token) *soqlError {
	if t.kind == tokEnd {
		return malformed(t.pos, "unexpected token: '<EOF>'")
	}
	return malformed(t.pos, "unexpected token: '%s'", t.text)
}

func (p *parser) expectSign(s string) *soqlError {
	if !p.acceptSign(s) {
		return p.unexpected(p.peek())
	}
	return nil
}

func (p *parser) query(sub bool) (*statement, *soqlError) {
	if !p.accept("SELECT") {
		return nil, p.unexpected(p.peek())
	}
	q := &statement{limit: -1}
	if err := p.selectList(q, sub); err != nil {
		return nil, err
	}
	if !p.accept("FROM") {
		return nil, p.unexpected(p.peek())
	}
	if q.from = p.next(); q.from.kind != tokName {
		return nil, p.unexpected(q.from)
	}
	p.accept("AS")
	if t := p.peek(); t.kind == tokName && !reserved(t.text) {
		q.alias = p.next().text
	}
	if p.accept("WHERE") {
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		q.where = e
	}
	if p.accept("WITH") && !p.accept("SECURITY_ENFORCED") && !p.accept("USER_MODE") {
		return nil, p.unexpected(p.peek())
	}
	return q, p.tail(q)
}

func reserved(word string) bool {
	switch strings.ToUpper(word) {
	case "WHERE", "ORDER", "LIMIT", "OFFSET", "FOR", "WITH", "GROUP", "HAVING", "USING", "ALL":
		return true
	}
	return false
}

func (p *parser) selectList(q *statement, sub bool) *soqlError {
	for {
		t := p.next()
		switch {
		case t.sign("(") && !sub:
			inner, err := p.query(true)
			if err != nil {
				return err
			}
			if err := p.expectSign(")"); err != nil {
				return err
			}
			q.items = append(q.items, item{sub: inner})
		case t.is("COUNT") && p.acceptSign("("):
			if p.acceptSign(")") {
				q.count = true
				return nil
			}
			path := p.next()
			if path.kind != tokName {
				return p.unexpected(path)
			}
			if err := p.expectSign(")"); err != nil {
				return err
			}
			q.items = append(q.items, item{path: path, count: true})
		case t.kind == tokName && !t.is("FROM"):
			q.items = append(q.items, item{path: t})
		default:
			return p.unexpected(t)
		}
		if !p.acceptSign(",") {
			return nil
		}
	}
}

// tail reads ORDER BY, LIMIT, OFFSET and FOR.
func (p *parser) tail(q *statement) *soqlError {
	if p.accept("ORDER") {
		if !p.accept("BY") {
			return p.unexpected(p.peek())
		}
		if err := p.orderings(q); err != nil {
			return err
		}
	}
	if p.accept("LIMIT") {
		n, err := p.number()
		if err != nil {
			return err
		}
		q.limit = n
	}
	if p.accept("OFFSET") {
		pos := p.peek().pos
		n, err := p.number()
		if err != nil {
			return err
		}
		if n > 2000 {
			return &soqlError{code: "NUMBER_OUTSIDE_VALID_RANGE", text: "Maximum SOQL offset allowed is 2000", pos: pos}
		}
		q.offset = n
	}
	if p.accept("FOR") && !p.accept("VIEW") && !p.accept("REFERENCE") && !p.accept("UPDATE") {
		return p.unexpected(p.peek())
	}
	if p.accept("ALL") {
		if !p.accept("ROWS") {
			return p.unexpected(p.peek())
		}
		q.all = true
	}
	return nil
}

func (p *parser) orderings(q *statement) *soqlError {
	for {
		o := ordering{path: p.next()}
		if o.path.kind != tokName {
			return p.unexpected(o.path)
		}
		if p.accept("DESC") {
			o.desc = true
		} else {
			p.accept("ASC")
		}
		if p.accept("NULLS") {
			o.nullsLast = p.accept("LAST")
			if !o.nullsLast && !p.accept("FIRST") {
				return p.unexpected(p.peek())
			}
		}
		q.order = append(q.order, o)
		if !p.acceptSign(",") {
			return nil
		}
	}
}

func (p *parser) number() (int, *soqlError) {
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokNumber || err != nil || n < 0 {
		return 0, p.unexpected(t)
	}
	return n, nil
}

// or reads conditions; AND and OR may not be mixed without parentheses.
func (p *parser) or() (expr, *soqlError) {
	if p.depth++; p.depth > 100 {
		return nil, malformed(p.peek().pos, "statement is nested too deeply")
	}
	defer func() { p.depth-- }()
	first, err := p.not()
	if err != nil {
		return nil, err
	}
	l := &logic{parts: []expr{first}}
	for {
		t := p.peek()
		or := t.is("OR")
		if !or && !t.is("AND") {
			break
		}
		if len(l.parts) > 1 && or != l.or {
			return nil, p.unexpected(t)
		}
		l.or = or
		p.at++
		e, err := p.not()
		if err != nil {
			return nil, err
		}
		l.parts = append(l.parts, e)
	}
	if len(l.parts) == 1 {
		return first, nil
	}
	return l, nil
}

func (p *parser) not() (expr, *soqlError) {
	if p.accept("NOT") {
		e, err := p.primary()
		if err != nil {
			return nil, err
		}
		return &negation{e}, nil
	}
	return p.primary()
}

func (p *parser) primary() (expr, *soqlError) {
	if p.acceptSign("(") {
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.expectSign(")")
	}
	c := &condition{path: p.next()}
	if c.path.kind != tokName {
		return nil, p.unexpected(c.path)
	}
	t := p.next()
	c.opPos = t.pos
	switch {
	case t.is("LIKE"):
		c.op = "like"
	case t.is("IN"):
		c.op = "in"
	case t.is("NOT") && p.accept("IN"):
		c.op = "notin"
	case t.sign("="), t.sign("!="), t.sign("<"), t.sign(">"), t.sign("<="), t.sign(">="):
		c.op = t.text
	case t.sign("<>"):
		c.op = "!="
	default:
		return nil, p.unexpected(t)
	}
	return c, p.operands(c)
}

func (p *parser) operands(c *condition) *soqlError {
	if c.op != "in" && c.op != "notin" {
		v, err := p.value()
		c.values = []token{v}
		return err
	}
	if err := p.expectSign("("); err != nil {
		return err
	}
	if p.peek().is("SELECT") {
		inner, err := p.query(true)
		if err != nil {
			return err
		}
		c.sub = inner
		return p.expectSign(")")
	}
	for {
		v, err := p.value()
		if err != nil {
			return err
		}
		c.values = append(c.values, v)
		if !p.acceptSign(",") {
			return p.expectSign(")")
		}
	}
}

// value reads one operand; LAST_N_DAYS:7 becomes one token.
func (p *parser) value() (token, *soqlError) {
	t := p.next()
	switch t.kind {
	case tokString:
		if units(t.text) > 4000 {
			return t, malformed(t.pos, "Maximum length of criteria string is 4000")
		}
		return t, nil
	case tokNumber, tokDate:
		return t, nil
	case tokName:
		if t.is("true") || t.is("false") || t.is("null") {
			return t, nil
		}
		text := t.text
		if p.acceptSign(":") {
			n := p.next()
			text += ":" + n.text
		}
		if _, _, ok := dateLiteral(text); ok || relativeDate(text) {
			return token{kind: tokDate, text: text, pos: t.pos}, nil
		}
	}
	return t, p.unexpected(t)
}
