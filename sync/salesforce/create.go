package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"hawser/sync/deliver"
	"hawser/sync/fault"
)

const opCreate = "create records"

// batch is one collection of a Create: at most 200 records of one object.
type batch struct {
	at      []int    // positions in the caller's list
	records []record // relations of a Relate; a Create builds its records while it writes them
	rels    []record // a Create's relations by position in at, nil for none
}

// creation is one Create under way.
type creation struct {
	*maker
	c       *Client
	in      []deliver.Record
	refs    []bool // whether the record points at others that could be left out
	results []deliver.Result
}

// object is the name of the object the record at a position becomes.
func (w *creation) object(at int) string {
	if w.in[at].Kind == deliver.Task {
		return taskType
	}
	return mailType
}

// Create implements deliver.Target. One call, plus one for each 200 mails whose text contains what
// the composite resource would take for a reference; such mails are rare.
func (c *Client) Create(ctx context.Context, records []deliver.Record) ([]deliver.Result, error) {
	if len(records) == 0 {
		return nil, nil
	}
	if len(records) > maxRecords {
		return nil, fault.New(fault.Internal, opCreate, fmt.Errorf("%d records in one call", len(records)))
	}
	sc, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	m := &maker{sc: sc, zone: c.cfg.Now().Location(), site: c.cfg.NetworkID != ""}
	w := &creation{maker: m, c: c, in: records, refs: make([]bool, len(records)), results: make([]deliver.Result, len(records))}
	together, apart := w.plan()
	if len(together) > 0 {
		if err := w.composite(ctx, together); err != nil {
			return nil, err
		}
	}
	for i, b := range apart {
		err := w.alone(ctx, b)
		if err == nil {
			continue
		}
		if len(together) == 0 && i == 0 {
			return nil, err
		}
		for _, at := range b.at {
			// What concerns the whole call must not count against single mails: they come again.
			f := fault.New(fault.ServerError, opCreate, err)
			w.results[at].Err = unknown(f, fault.Of(err).Unknown)
		}
	}
	return w.results, nil
}

// plan sorts the mails into collections: those for the composite call, and those to be sent apart.
func (w *creation) plan() (together, apart []*batch) {
	groups := map[string]*[]int{mailType: {}, taskType: {}, "": {}}
	for i, in := range w.in {
		name := w.object(i)
		if o := w.sc.objects[name]; o == nil || !o.create {
			w.results[i].Err = closed(name)
			continue
		}
		rec := w.record(in)
		w.refs[i] = pointsElsewhere(rec)
		if mentionsReference(rec) {
			name = ""
		}
		*groups[name] = append(*groups[name], i)
	}
	for _, name := range []string{mailType, taskType} {
		together = append(together, split(*groups[name])...)
	}
	return together, split(*groups[""])
}

// split cuts a list into collections.
func split(at []int) []*batch {
	var out []*batch
	for len(at) > 0 {
		n := min(len(at), collection)
		out = append(out, &batch{at: at[:n]})
		at = at[n:]
	}
	return out
}

// closed is the fault of a record whose object the user may not create.
func closed(objectName string) *fault.Error {
	code := fault.PermissionMissing
	if objectName == mailType {
		code = fault.EmailRefused
	}
	return fault.New(code, opCreate, errors.New(objectName+" is not createable"))
}

// composite creates the records of all batches, and the senders' relations of the e-mails, in
// one call.
func (w *creation) composite(ctx context.Context, batches []*batch) error {
	var (
		subs    []sub
		refs    []string
		readers []reader
		answers = make([][]saved, 2*len(batches))
	)
	add := func(ref string, slot, count int, rec func(int) record) {
		subs = append(subs, sub{ref: ref, path: data(w.sc.version, "/composite/sobjects"), count: count, record: rec})
		refs = append(refs, ref)
		readers = append(readers, results(&answers[slot]))
	}
	relatedIn := make([]int, len(batches)) // index in refs, 0 for none
	for i, b := range batches {
		ref := "mails" + strconv.Itoa(i)
		add(ref, 2*i, len(b.at), func(j int) record { return w.record(w.in[b.at[j]]) })
		if rels := w.relations(b, ref); len(rels) > 0 {
			relatedIn[i] = len(refs)
			add("from"+strconv.Itoa(i), 2*i+1, len(rels), func(j int) record { return rels[j] })
		}
	}
	r := compositeRequest(opCreate, w.sc.version, subs)
	r.write = true
	var parts []part
	r.answer = func(body io.Reader) (err error) {
		parts, err = composite(body, refs, readers)
		return err
	}
	if err := w.c.do(ctx, r); err != nil {
		return err
	}
	next := 0
	for i, b := range batches {
		w.settle(ctx, b, parts[next], answers[2*i])
		next++
		if relatedIn[i] > 0 {
			w.related(ctx, b, parts[next], answers[2*i+1])
			next++
		}
	}
	return nil
}

// relations returns the relation records of a batch of e-mails and marks the others as needing none.
func (w *creation) relations(b *batch, ref string) []record {
	b.rels = make([]record, len(b.at))
	var rels []record
	for j, at := range b.at {
		if rel := w.relationOf(at, fmt.Sprintf("@{%s[%d].id}", ref, j)); rel != nil {
			b.rels[j] = rel
			rels = append(rels, rel)
		}
	}
	return rels
}

// relationOf returns the relation of the e-mail at a position, nil where none is to be made.
func (w *creation) relationOf(at int, recordID string) record {
	in := w.in[at]
	if in.Kind == deliver.Task || len(in.Mail.From) == 0 {
		return nil
	}
	rel := deliver.Relation{RecordID: recordID, Address: in.Mail.From[0]}
	if in.Links.From != nil {
		rel.PersonID = in.Links.From.ID
	}
	return w.relate(rel)
}

// alone creates one batch outside a composite, where @{ means nothing.
func (w *creation) alone(ctx context.Context, b *batch) error {
	r := collectionRequest(opCreate, w.sc.version, len(b.at), func(j int) record { return w.record(w.in[b.at[j]]) })
	r.write = true
	var answer []saved
	p := part{status: 200}
	r.answer = func(body io.Reader) error { return results(&answer)(json.NewDecoder(body), &p) }
	if err := w.c.do(ctx, r); err != nil {
		return err
	}
	w.settle(ctx, b, p, answer)
	for _, at := range b.at {
		if w.results[at].ID != "" && w.relationOf(at, w.results[at].ID) != nil {
			w.results[at].Related = false
		}
	}
	return nil
}

// settle turns one collection's answer into results.
func (w *creation) settle(ctx context.Context, b *batch, p part, answer []saved) {
	for j, at := range b.at {
		res := &w.results[at]
		el := element{op: opCreate, sc: w.sc, part: p, answer: answer, want: len(b.at), at: j}
		*res = w.c.outcome(el, subject{w.object(at), w.refs[at]})
		if res.Err != nil && res.Err.Code == fault.EmailRefused {
			w.c.noteEmailRefused(ctx)
		}
		res.Related = res.ID != "" && (b.rels == nil || b.rels[j] == nil)
	}
}

// related marks the e-mails whose relation was made in the same call. What was refused is not
// judged here: the caller asks for it by Relate.
func (w *creation) related(ctx context.Context, b *batch, p part, answer []saved) {
	k := 0
	for j, at := range b.at {
		if b.rels[j] == nil {
			continue
		}
		if p.ok() && k < len(answer) {
			ok := answer[k].Success.V
			w.results[at].Related = ok && w.results[at].Err == nil
			if !ok {
				w.c.learn(w.sc, relation, answer[k].first())
			}
		}
		k++
	}
}

// element is where in an answer one record's outcome stands.
type element struct {
	op     string
	sc     *schema
	part   part
	answer []saved
	want   int // elements the answer should have
	at     int
}

// outcome turns one element of a collection's answer into a result.
func (c *Client) outcome(o element, s subject) deliver.Result {
	if !o.part.ok() {
		f := o.part.fault(o.op, s)
		f.Unknown = o.part.status >= 500
		if len(o.part.errs) > 0 && c.learn(o.sc, s.object, o.part.errs[0]) && f.Code == fault.PermissionMissing {
			f.Code = fault.ServerError
		}
		return deliver.Result{Err: f}
	}
	if len(o.answer) != o.want {
		return deliver.Result{Err: unknown(fault.New(fault.ServerError, o.op, errShape), true)}
	}
	el := o.answer[o.at]
	if el.Success.V {
		id := id18(el.ID.V)
		if id == "" {
			return deliver.Result{Err: unknown(fault.New(fault.ServerError, o.op, errShape), true)}
		}
		return deliver.Result{ID: id}
	}
	e := el.first()
	f := e.fault(o.op, s)
	if f.Code == fault.AlreadySaved {
		// The id says that the record exists, the fault that this call did not make it: what hangs
		// on it is not known.
		return deliver.Result{ID: duplicateOf(e, s.object), Err: f}
	}
	// What the describe promised is refused: planned anew without it, the record may pass.
	if c.learn(o.sc, s.object, e) && f.Code == fault.PermissionMissing {
		f.Code = fault.ServerError
	}
	return deliver.Result{Err: f}
}

// duplicateID finds the record that holds the unique key already; the sentence around it is in
// the user's language.
var duplicateID = regexp.MustCompile(`\b([a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?)\b`)

// duplicateOf returns the id of the record that has the same mail key, "" if that is not what e
// says.
func duplicateOf(e apiError, objectName string) string {
	if e.code() != "DUPLICATE_VALUE" || !strings.Contains(e.Message.V, keyField) {
		return ""
	}
	prefix := map[string]string{mailType: "02s", taskType: "00T"}[objectName]
	for _, id := range duplicateID.FindAllString(e.Message.V, -1) {
		if prefix != "" && strings.HasPrefix(id, prefix) {
			return id18(id)
		}
	}
	return ""
}
