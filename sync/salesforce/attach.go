package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"slices"
	"strconv"
	"strings"

	"hawser/sync/deliver"
	"hawser/sync/fault"
	"hawser/sync/shape"
)

const (
	opAttach = "upload files"

	lenTitle = 255
	lenPath  = 500
)

// upload is one multipart request under way: the records first, then a part per file.
type upload struct {
	sc      *schema
	network string
	files   []deliver.File
	at      []int   // positions of files in the caller's list
	sizes   []int64 // what each file really holds, as far as is known
}

// sourceError is a file of the caller that could not be read as announced.
type sourceError struct {
	file int // index in upload.files
	err  error
}

func (e *sourceError) Error() string { return "read file: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// Attach implements deliver.Target. One call; where a file cannot be read after all, that call is
// broken off before Salesforce acts on it, and a second one carries the others. Open is called
// once per file and request, and once more in between.
func (c *Client) Attach(ctx context.Context, files []deliver.File) ([]deliver.Result, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if len(files) > maxFiles {
		return nil, fault.New(fault.Internal, opAttach, fmt.Errorf("%d files in one call", len(files)))
	}
	sc, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]deliver.Result, len(files))
	u := &upload{sc: sc, network: c.cfg.NetworkID}
	for i, f := range files {
		switch {
		case !sc.objects[fileType].can("FirstPublishLocationId"):
			out[i].Err = fault.New(fault.PermissionMissing, opAttach, errors.New("ContentVersion is not createable"))
		case !validID(f.RecordID):
			out[i].Err = fault.New(fault.Internal, opAttach, errors.New("malformed record id"))
		default:
			u.add(f, i)
		}
	}
	return out, c.attach(ctx, u, out)
}

// attach uploads u and writes what became of each file to its place in out.
func (c *Client) attach(ctx context.Context, u *upload, out []deliver.Result) error {
	rechecked := false
	for len(u.files) > 0 {
		answer, p, err := c.upload(ctx, u)
		var broken *sourceError
		if errors.As(err, &broken) {
			if rechecked { // this one changes while it is read
				out[u.at[broken.file]].Err = sourceFault(broken.err)
				u.drop(broken.file)
				continue
			}
			u, rechecked = u.recheck(ctx, out), true
			continue
		}
		if err != nil {
			return err
		}
		for i, at := range u.at {
			el := element{op: opAttach, sc: u.sc, part: p, answer: answer, want: len(u.at), at: i}
			out[at] = c.outcome(el, subject{object: fileType, refs: true})
		}
		return nil
	}
	return nil
}

func (u *upload) add(f deliver.File, at int) {
	u.files, u.at, u.sizes = append(u.files, f), append(u.at, at), append(u.sizes, f.Size)
}

func (u *upload) drop(i int) {
	u.files, u.at, u.sizes = slices.Delete(u.files, i, i+1), slices.Delete(u.at, i, i+1), slices.Delete(u.sizes, i, i+1)
}

// recheck reads every file to its end, notes those that cannot be read, and returns an upload of
// the others with the sizes they have.
func (u *upload) recheck(ctx context.Context, out []deliver.Result) *upload {
	next := &upload{sc: u.sc, network: u.network}
	for i, f := range u.files {
		n, err := measure(ctx, f)
		if err != nil {
			out[u.at[i]].Err = sourceFault(err)
			continue
		}
		next.add(f, u.at[i])
		next.sizes[len(next.sizes)-1] = n
	}
	return next
}

func measure(ctx context.Context, f deliver.File) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	src, err := f.Open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, src)
	return n, errors.Join(err, src.Close())
}

// sourceFault passes on the fault of a file that could not be read.
func sourceFault(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return fault.New(fault.MailUnreadable, opAttach, err)
}

// upload performs one request. A *sourceError means that it was broken off without effect.
func (c *Client) upload(ctx context.Context, u *upload) (answer []saved, p part, err error) {
	var count counter
	form := multipart.NewWriter(&count)
	if err := u.write(form, func(int, io.Writer) error { return nil }); err != nil {
		return nil, p, fault.New(fault.Internal, opAttach, err)
	}
	length := int64(count)
	for _, n := range u.sizes {
		length += n
	}
	var body *streamed
	r := request{
		op: opAttach, method: http.MethodPost, path: data(u.sc.version, "/composite/sobjects"), kind: form.FormDataContentType(), write: true,
		body: func() (io.Reader, int64, error) {
			if body != nil {
				body.stop()
			}
			body = stream(func(w io.Writer) error {
				again := multipart.NewWriter(w)
				if err := again.SetBoundary(form.Boundary()); err != nil {
					return err
				}
				return u.write(again, u.copyFile)
			})
			return body.r, length, nil
		},
		answer: func(in io.Reader) error {
			p.status = http.StatusOK
			return results(&answer)(json.NewDecoder(in), &p)
		},
	}
	err = c.do(ctx, r)
	if body != nil {
		var broken *sourceError
		if cause := body.stop(); err != nil && errors.As(cause, &broken) {
			return nil, p, broken
		}
	}
	return answer, p, err
}

// write writes the whole form; content writes the bytes of one file.
func (u *upload) write(form *multipart.Writer, content func(i int, w io.Writer) error) error {
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="collection"`)
	h.Set("Content-Type", "application/json")
	w, err := form.CreatePart(h)
	if err != nil {
		return err
	}
	jw := newWriter(w)
	jw.collection(len(u.files), u.record)
	if jw.err != nil {
		return jw.err
	}
	for i := range u.files {
		h := textproto.MIMEHeader{}
		// The real name stands in the record; a header of a form has no agreed encoding for it.
		name := binaryPart(i)
		h.Set("Content-Disposition", `form-data; name="`+name+`"; filename="`+name+`"`)
		h.Set("Content-Type", "application/octet-stream")
		w, err := form.CreatePart(h)
		if err != nil {
			return err
		}
		if err := content(i, w); err != nil {
			return err
		}
	}
	return form.Close()
}

func binaryPart(i int) string { return "file" + strconv.Itoa(i) }

// record is the ContentVersion of one file (REST guide, "Insert or Update Blob Data").
func (u *upload) record(i int) record {
	o := u.sc.objects[fileType]
	name := clean(u.files[i].Name)
	if name == "" {
		name = "attachment"
	}
	r := record{"attributes": map[string]string{
		"type": fileType, "binaryPartName": binaryPart(i), "binaryPartNameAlias": "VersionData",
	}}
	title, _ := shape.Prefix(name, o.room("Title", lenTitle))
	o.set(r, "Title", title)
	o.set(r, "PathOnClient", cutName(name, o.room("PathOnClient", lenPath)))
	o.set(r, "FirstPublishLocationId", u.files[i].RecordID)
	o.set(r, "Origin", "C")
	o.set(r, "Description", fileMark)
	if u.network != "" {
		o.set(r, "NetworkId", u.network)
	}
	return r
}

// cutName shortens a file name but keeps its extension, from which Salesforce tells the type.
func cutName(name string, limit int) string {
	if _, missing := shape.Prefix(name, limit); !missing {
		return name
	}
	ext := path.Ext(name)
	if shape.Units(ext) > 20 {
		ext = ""
	}
	head, _ := shape.Prefix(strings.TrimSuffix(name, ext), limit-shape.Units(ext))
	return head + ext
}

// copyFile writes one file, which has to be exactly as long as announced: the length of the whole
// form is already sent.
func (u *upload) copyFile(i int, w io.Writer) error {
	src, err := u.files[i].Open()
	if err != nil {
		return &sourceError{i, err}
	}
	defer func() { _ = src.Close() }()
	track := &readTracker{r: src}
	n, err := io.Copy(w, io.LimitReader(track, u.sizes[i]))
	switch {
	case err != nil && track.err == nil:
		return err // the connection's trouble
	case err != nil:
		return &sourceError{i, err}
	case n < u.sizes[i]:
		return &sourceError{i, io.ErrUnexpectedEOF}
	}
	if extra, _ := io.ReadFull(src, make([]byte, 1)); extra > 0 {
		return &sourceError{i, errors.New("longer than announced")}
	}
	return nil
}

// readTracker remembers that an error came from the reader, not from where it was copied to.
type readTracker struct {
	r   io.Reader
	err error
}

func (t *readTracker) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// streamed is a request body written by a goroutine.
type streamed struct {
	r    *io.PipeReader
	done chan struct{}
	err  error // of the writer; valid once done is closed
}

// stream starts write. The caller must call stop.
func stream(write func(w io.Writer) error) *streamed {
	r, w := io.Pipe()
	s := &streamed{r: r, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = write(w)
		_ = w.CloseWithError(s.err)
	}()
	return s
}

// stop ends the writer, waits for it, and returns its error.
func (s *streamed) stop() error {
	_ = s.r.CloseWithError(io.ErrClosedPipe)
	<-s.done
	return s.err
}
