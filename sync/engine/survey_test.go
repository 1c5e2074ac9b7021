package engine

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"hawser/sync/capture"
	"hawser/sync/mailparse"
	"hawser/sync/rules"
)

// blocks is a Source of one folder with header blocks as they come from the wire, made as they are
// asked for. Only Folders and Scan are called.
type blocks struct {
	Source
	n     int
	scans int
	held  int // most header blocks handed over at once
}

func (b *blocks) Folders(context.Context) ([]capture.Folder, error) {
	return []capture.Folder{{Name: inbox, Role: "inbox"}}, nil
}

// block is a header block of about three kilobytes, most of which no rule looks at.
func (b *blocks) block(i int) string {
	received := strings.Repeat("Received: from relay.example (relay.example [192.0.2.7]) by mx.acme.example with ESMTPS id 4XyZ;\r\n\tSun, 1 Nov 2026 10:00:00 +0000\r\n", 6)
	references := strings.Repeat(fmt.Sprintf("<reference-%d@mail.cust.example>\r\n ", i), 10)
	return fmt.Sprintf("Return-Path: <p%d@cust%d.example>\r\n%sDKIM-Signature: v=1; a=rsa-sha256; b=%s\r\n"+
		"Message-ID: <%d@mail.cust.example>\r\nReferences: %s\r\nFrom: Person %d <p%d@cust%d.example>\r\nTo: Me <me@acme.example>, Colleague <bob@acme.example>\r\n"+
		"Subject: Offer number %d and some more words\r\nDate: Sun, 1 Nov 2026 10:00:00 +0000\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n",
		i%300, i%40, received, strings.Repeat("MIIBIjANBgkqhkiG9w0B", 20), i, references, i%300, i%300, i%40, i)
}

func (b *blocks) Scan(ctx context.Context, _ ScanRequest, sink Sink) error {
	b.scans++
	const window = 200 // as the IMAP adapter hands them over
	for at := 0; at < b.n; at += window {
		heads := make([]capture.Item, 0, window)
		for i := at; i < min(at+window, b.n); i++ {
			heads = append(heads, capture.Item{
				Ref: capture.Ref{Folder: inbox, Validity: 1, UID: uint32(i + 1)}, Size: 75_000, Files: -1,
				Received: turnedOn.Add(time.Duration(i) * time.Minute), Raw: strings.NewReader(b.block(i)),
			})
		}
		b.held = max(b.held, len(heads))
		if _, err := sink.Wanted(ctx, heads); err != nil {
			return err
		}
	}
	return nil
}

func surveyed(tb testing.TB, b *blocks, set *rules.Set) []rules.Message {
	tb.Helper()
	e := newEngineOn(b)
	var msgs []rules.Message
	err := e.Survey(tb.Context(), set, turnedOn, func(m rules.Message) error { msgs = append(msgs, m); return nil })
	if err != nil {
		tb.Fatal(err)
	}
	return msgs
}

func newEngineOn(src Source) *Engine {
	return &Engine{cfg: Config{Source: src, ReadHeader: func(r io.Reader) (capture.Header, error) { return mailparse.ReadHeader(r) }}}
}

// weighed counts the bytes that values hold, every string once.
type weighed struct {
	bytes   int
	strings map[*byte]bool
}

func (w *weighed) add(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if p := unsafe.StringData(s); len(s) > 0 && !w.strings[p] {
			w.strings[p] = true
			w.bytes += len(s)
		}
	case reflect.Slice:
		w.bytes += v.Cap() * int(v.Type().Elem().Size())
		for i := range v.Len() {
			w.add(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.add(v.Field(i))
		}
	case reflect.Map, reflect.Pointer:
		if !v.IsNil() {
			w.bytes += 1 << 20 // a survey fills in none of them
		}
	}
}

// TestD01SurveyOfTenThousandMails keeps at most a kilobyte of each, of people each once, and counts
// again after an edit without the network.
func TestD01SurveyOfTenThousandMails(t *testing.T) {
	t.Parallel()
	b := &blocks{n: 10_000}
	set := rules.Compile(everything(), capture.Company{}, []string{"me@acme.example"})
	msgs := surveyed(t, b, set)
	w := weighed{strings: map[*byte]bool{}}
	w.add(reflect.ValueOf(msgs))
	addresses := 0
	for p := range w.strings {
		if *p == 'p' {
			addresses++
		}
	}
	t.Logf("%d bytes each", w.bytes/b.n)
	if each := w.bytes / b.n; len(msgs) != b.n || each > 1100 || b.held > 200 {
		t.Errorf("%d mails of %d bytes each, %d header blocks at once", len(msgs), each, b.held)
	}
	if addresses > 1200 {
		t.Errorf("%d strings for 300 people in 40 companies", addresses)
	}
	if hits := set.Hits(msgs); hits["all"] != b.n {
		t.Errorf("hits %v", hits)
	}
	edited := everything()
	edited.Rules[0].From = []string{"cust7.example"}
	if hits := rules.Compile(edited, capture.Company{}, []string{"me@acme.example"}).Hits(msgs); hits["all"] != b.n/40 || b.scans != 1 {
		t.Errorf("after an edit %v, the mailbox was read %d times", hits, b.scans)
	}
}

// BenchmarkDryRun is what a dry run costs beside the network: reading and reducing 10,000 header
// blocks, and then each count after an edit.
func BenchmarkDryRun(b *testing.B) {
	set := rules.Compile(everything(), capture.Company{}, []string{"me@acme.example"})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			surveyed(b, &blocks{n: 10_000}, set)
		}
	})
	msgs := surveyed(b, &blocks{n: 10_000}, set)
	b.Run("count", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			set.Hits(msgs)
		}
	})
}
