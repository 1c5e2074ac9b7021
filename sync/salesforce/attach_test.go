package salesforce

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/salesforce/salesforcetest"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	for _, external := range []bool{false, true} {
		org := &salesforcetest.Org{External: external}
		w := newWorld(t, org)
		id := w.mustCreate(t, mailsOf(1))[0].ID
		long := strings.Repeat("ä", 400) + ".pdf"
		contents := []string{"abc", "", "<html>\x00\xff--", strings.Repeat("0123456789abcdef", 100_000)}
		names := []string{"a.txt", "Umlaut \"ü\"\\.html", long, ""}
		var files []deliver.File
		for i := range contents {
			files = append(files, fileOf(id, names[i], contents[i]))
		}
		var res []deliver.Result
		if n := w.cost(t, func() {
			var err error
			if res, err = w.Attach(t.Context(), files); err != nil {
				t.Fatal(err)
			}
		}); n != 1 {
			t.Errorf("took %d calls", n)
		}
		for i, r := range res {
			if contents[i] == "" {
				continue // whether an org takes an empty file is its own affair
			}
			if r.Err != nil || string(org.File(r.ID)) != contents[i] {
				t.Errorf("file %d: %+v", i, r)
			}
		}
		for _, v := range org.Records("ContentVersion") {
			if v["Title"] == strings.Repeat("ä", 255) && v["PathOnClient"] != long {
				t.Errorf("path %v", v["PathOnClient"])
			}
		}
	}
}

func TestAttachMany(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	id := w.mustCreate(t, mailsOf(1))[0].ID
	var files []deliver.File
	for i := range maxFiles {
		files = append(files, fileOf(id, fmt.Sprintf("f%d.txt", i), fmt.Sprint("content ", i)))
	}
	if n := w.cost(t, func() {
		res, err := w.Attach(t.Context(), files)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range res {
			if r.Err != nil || string(org.File(r.ID)) != fmt.Sprint("content ", i) {
				t.Fatalf("file %d: %+v", i, r)
			}
		}
	}); n != 1 {
		t.Errorf("took %d calls", n)
	}
	_, err := w.Attach(t.Context(), append(files, files[0]))
	wantFault(t, err, fault.Internal, false)
}

type brokenReader struct{ after string }

func (b *brokenReader) Read(p []byte) (int, error) {
	if b.after == "" {
		return 0, errors.New("disk trouble")
	}
	n := copy(p, b.after)
	b.after = b.after[n:]
	return n, nil
}

func (*brokenReader) Close() error { return nil }

// TestAttachBadFiles: a file that cannot be read must not keep the others, nor make half a file.
func TestAttachBadFiles(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.MailGone, "open mail", nil)
	for name, bad := range map[string]func() (io.ReadCloser, error){
		"does not open": func() (io.ReadCloser, error) { return nil, gone },
		"breaks":        func() (io.ReadCloser, error) { return &brokenReader{after: "ab"}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			org := &salesforcetest.Org{}
			w := newWorld(t, org)
			id := w.mustCreate(t, mailsOf(1))[0].ID
			opened := 0
			good := fileOf(id, "good.txt", strings.Repeat("good", 50_000))
			open := good.Open
			good.Open = func() (io.ReadCloser, error) { opened++; return open() }
			files := []deliver.File{good, {RecordID: id, Name: "bad.txt", Size: 4, Open: bad}, fileOf(id, "last.txt", "last")}
			res, err := w.Attach(t.Context(), files)
			if err != nil {
				t.Fatal(err)
			}
			if res[0].Err != nil || res[2].Err != nil || res[1].Err == nil || res[1].Err.Unknown {
				t.Errorf("got %+v", res)
			}
			if name == "does not open" && res[1].Err.Code != fault.MailGone {
				t.Errorf("the reader's own fault is lost: %v", res[1].Err)
			}
			if n := len(org.Records("ContentVersion")); n != 2 || opened != 3 {
				t.Errorf("%d files, opened %d times", n, opened)
			}
			if string(org.File(res[0].ID)) != strings.Repeat("good", 50_000) || string(org.File(res[2].ID)) != "last" {
				t.Error("contents differ")
			}
		})
	}
}

// TestAttachWrongSizes: what was announced is corrected by what is there.
func TestAttachWrongSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 2, 100} {
		org := &salesforcetest.Org{}
		w := newWorld(t, org)
		id := w.mustCreate(t, mailsOf(1))[0].ID
		f := fileOf(id, "a.txt", "content")
		f.Size = size
		res, err := w.Attach(t.Context(), []deliver.File{f})
		if err != nil || res[0].Err != nil || string(org.File(res[0].ID)) != "content" {
			t.Errorf("size %d: %+v %v", size, res, err)
		}
	}
}

// TestAttachFileThatChanges must end.
func TestAttachFileThatChanges(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	id := w.mustCreate(t, mailsOf(1))[0].ID
	n := 0
	f := deliver.File{RecordID: id, Name: "x", Open: func() (io.ReadCloser, error) {
		n++
		return io.NopCloser(strings.NewReader(strings.Repeat("x", n))), nil
	}}
	res, err := w.Attach(t.Context(), []deliver.File{f, fileOf(id, "a.txt", "abc")})
	if err != nil || res[0].Err == nil || res[1].Err != nil {
		t.Errorf("%+v %v", res, err)
	}
}

func TestAttachWithFreshToken(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{External: true}
	w := newWorld(t, org)
	id := w.mustCreate(t, mailsOf(1))[0].ID
	org.ExpireAccess()
	big := strings.Repeat("x", 5<<20)
	res, err := w.Attach(t.Context(), []deliver.File{fileOf(id, "big.bin", big)})
	if err != nil || res[0].Err != nil || string(org.File(res[0].ID)) != big {
		t.Errorf("%+v %v", res, err)
	}
}

func TestAttachRefused(t *testing.T) {
	t.Parallel()
	org := &salesforcetest.Org{NoFiles: true}
	w := newWorld(t, org)
	id := w.mustCreate(t, mailsOf(1))[0].ID
	res, err := w.Attach(t.Context(), []deliver.File{fileOf(id, "a", "b")})
	if err != nil || res[0].Err == nil || res[0].Err.Code != fault.PermissionMissing {
		t.Errorf("%+v %v", res, err)
	}
	w = newWorld(t, &salesforcetest.Org{})
	res, err = w.Attach(t.Context(), []deliver.File{fileOf("02s000000000999AAA", "a", "b"), fileOf("x", "a", "b")})
	if err != nil || res[0].Err == nil || res[0].Err.Code != fault.FileRefused || res[1].Err == nil {
		t.Errorf("%+v %v", res, err)
	}
}

// TestAttachLeavesNoGoroutine: the writer of an upload ends with the call, whatever the server does.
func TestAttachLeavesNoGoroutine(t *testing.T) {
	org := &salesforcetest.Org{}
	w := newWorld(t, org)
	id := w.mustCreate(t, mailsOf(1))[0].ID
	for range 3 {
		org.FailNext(1, 503, "<html>")
		_, _ = w.Attach(t.Context(), []deliver.File{fileOf(id, "a", strings.Repeat("x", 8<<20))})
	}
	w.http.CloseIdleConnections()
	deadline := time.Now().Add(5 * time.Second)
	for {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "salesforce.stream") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a writer is still at work")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestCutName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.pdf": "a.pdf", "abcdefghijkl.pdf": "abcdef.pdf", "no-extension-at-all": "no-extensi", "x." + strings.Repeat("y", 30): "x.yyyyyyyy",
	} {
		if got := cutName(name, 10); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
