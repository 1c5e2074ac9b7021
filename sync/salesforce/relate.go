package salesforce

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"hawser/sync/deliver"
	"hawser/sync/fault"
)

const opRelate = "create relations"

// Relate implements deliver.Target.
func (c *Client) Relate(ctx context.Context, relations []deliver.Relation) ([]deliver.Result, error) {
	if len(relations) > collection*maxCollection {
		return nil, fault.New(fault.Internal, opRelate, fmt.Errorf("%d relations in one call", len(relations)))
	}
	sc, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	m := maker{sc: sc}
	var (
		out     = make([]deliver.Result, len(relations))
		batches []*batch
	)
	for i, rel := range relations {
		var rec record
		if validID(rel.RecordID) {
			rec = m.relate(rel)
		}
		if rec == nil {
			out[i].Related = true // there is nothing to make
			continue
		}
		if len(batches) == 0 || len(batches[len(batches)-1].at) == collection {
			batches = append(batches, &batch{})
		}
		b := batches[len(batches)-1]
		b.at, b.records = append(b.at, i), append(b.records, rec)
	}
	if len(batches) == 0 {
		return out, nil
	}
	return out, c.relateAll(ctx, sc, batches, out)
}

func (c *Client) relateAll(ctx context.Context, sc *schema, batches []*batch, out []deliver.Result) error {
	var (
		subs    []sub
		refs    []string
		readers []reader
		answers = make([][]saved, len(batches))
		parts   []part
	)
	for i, b := range batches {
		refs = append(refs, "from"+strconv.Itoa(i))
		subs = append(subs, sub{ref: refs[i], path: data(sc.version, "/composite/sobjects"), count: len(b.at),
			record: func(j int) record { return b.records[j] }})
		readers = append(readers, results(&answers[i]))
	}
	r := compositeRequest(opRelate, sc.version, subs)
	r.write = true
	r.answer = func(body io.Reader) (err error) {
		parts, err = composite(body, refs, readers)
		return err
	}
	if err := c.do(ctx, r); err != nil {
		return err
	}
	for i, b := range batches {
		for j, at := range b.at {
			el := element{op: opRelate, sc: sc, part: parts[i], answer: answers[i], want: len(b.at), at: j}
			out[at] = c.outcome(el, subject{relation, pointsElsewhere(b.records[j])})
			out[at].Related = out[at].Err == nil
		}
	}
	return nil
}
