package deliver

import (
	"context"
	"fmt"
	"io"
	"sync"

	"hawser/sync/capture"
	"hawser/sync/fault"
)

// upload is one file of one job in a call.
type upload struct {
	job  int // index into parcel.jobs
	file capture.Attachment
}

// parcel is what one Attach carries: files of several mails, a large set of files in parts.
type parcel struct {
	jobs  []Job
	files []upload

	mu     sync.Mutex             // a transport may still read when the call is over
	unread map[int64]*fault.Error // jobs whose file could not be read during the call
}

func (p *parcel) failed(job int64, f *fault.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unread[job] = f
}

func (p *parcel) fault(job int64) *fault.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unread[job]
}

// broken reports whether any file could not be read.
func (p *parcel) broken() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.unread) > 0
}

// attach uploads files. It looks first what hangs on a record already, unless this process knows.
func (d *Deliverer) attach(ctx context.Context, w *work) error {
	jobs, done, err := d.learnt(ctx, w.attach[:min(len(w.attach), w.lim.Files)], w)
	if err != nil {
		return err
	}
	jobs, asked := d.askFirst(jobs)
	done = append(done, asked...)
	if err := d.inspect(ctx, jobs, w.lim); err != nil {
		return d.callFailed(ctx, jobs, false, err, done)
	}
	p := &parcel{unread: make(map[int64]*fault.Error)}
	done = append(done, d.pack(p, jobs, w.lim)...)
	if len(p.files) == 0 {
		return d.settle(ctx, done)
	}
	if ok, err := d.begin(ctx, p.jobs); err != nil {
		return err
	} else if !ok {
		return d.settle(ctx, done)
	}
	d.paid()
	results, err := d.cfg.Target.Attach(ctx, d.files(ctx, p))
	if err == nil {
		err = answersAll(len(results), len(p.files))
	}
	if err != nil {
		return d.attachFailed(ctx, p, err, done)
	}
	d.took()
	return d.settle(ctx, append(done, d.attached(ctx, p, results)...))
}

// askFirst returns the jobs whose files may be uploaded, and asks about the others: the person
// decided to be asked after the record was made.
func (d *Deliverer) askFirst(jobs []Job) (clear []Job, asked []Outcome) {
	for _, j := range jobs {
		if d.note(j.ID).askYes {
			asked = append(asked, *d.whetherFiles(j))
		} else {
			clear = append(clear, j)
		}
	}
	return clear, asked
}

// inspect finds out what hangs on the records that this process is not sure about.
func (d *Deliverer) inspect(ctx context.Context, jobs []Job, lim Limits) error {
	var q Query
	for _, j := range jobs {
		if n := d.note(j.ID); j.Unknown || !n.sure {
			q.Files = append(q.Files, j.RecordID)
		}
	}
	a, err := d.find(ctx, q, lim)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if n := d.note(j.ID); j.Unknown || !n.sure {
			n.done, n.sure = uploaded(n.files, a.Files[j.RecordID]), true
		}
	}
	return nil
}

// uploaded tells which of a mail's files exist, by name and size: of two alike, one that exists
// stands for one.
func uploaded(files []capture.Attachment, seen []FileSeen) map[int]bool {
	left := make(map[FileSeen]int)
	for _, s := range seen {
		left[s]++
	}
	done := make(map[int]bool)
	for _, f := range files {
		if k := (FileSeen{Title: f.Name, Size: f.Size}); left[k] > 0 {
			left[k]--
			done[f.Index] = true
		}
	}
	return done
}

// pack fills a parcel with missing files in order, until one no longer fits, and returns the
// outcomes of jobs that miss nothing.
func (d *Deliverer) pack(p *parcel, jobs []Job, lim Limits) (done []Outcome) {
	var bytes int64
	for _, j := range jobs {
		n := d.note(j.ID)
		if n.missing() <= 0 {
			done = append(done, d.passed(j, n, true))
			continue
		}
		taken := false
		for _, f := range n.files {
			if n.done[f.Index] {
				continue
			}
			if len(p.files) > 0 && (len(p.files) >= lim.Files || bytes+f.Size > lim.FileBytes) {
				return done
			}
			if !taken {
				p.jobs, taken = append(p.jobs, j), true
			}
			bytes += f.Size
			p.files = append(p.files, upload{job: len(p.jobs) - 1, file: f})
		}
	}
	return done
}

func (d *Deliverer) files(ctx context.Context, p *parcel) []File {
	files := make([]File, len(p.files))
	for i, u := range p.files {
		j := p.jobs[u.job]
		files[i] = File{
			RecordID: j.RecordID, Name: u.file.Name, Type: u.file.Type, Size: u.file.Size,
			Open: func() (io.ReadCloser, error) {
				return d.open(ctx, p, j, u.file.Index)
			},
		}
	}
	return files
}

// open streams one attachment from the sealed mail.
func (d *Deliverer) open(ctx context.Context, p *parcel, j Job, index int) (io.ReadCloser, error) {
	raw, err := d.cfg.Queue.Open(ctx, j.ID)
	if err != nil {
		p.failed(j.ID, fault.Of(err))
		return nil, fmt.Errorf("open job %d: %w", j.ID, err)
	}
	a := &attachment{raw: raw, src: &source{r: raw}, report: func(f *fault.Error) { p.failed(j.ID, f) }}
	if a.file, err = d.decode(ctx, a.src, j.Size, index); err != nil {
		raw.Close()
		return nil, a.fail(err)
	}
	return a, nil
}

func (d *Deliverer) decode(ctx context.Context, raw io.Reader, size int64, index int) (rc io.ReadCloser, err error) {
	defer survive(&err)
	return d.cfg.File(ctx, raw, size, index)
}

// attachment is a file within a mail that is read again. It reports when it cannot be read to
// its end: the queue's own error where there is one, else the mail's.
type attachment struct {
	raw    io.Closer
	src    *source
	file   io.ReadCloser
	report func(*fault.Error)
}

func (a *attachment) fail(err error) *fault.Error {
	f := fault.New(fault.MailUnreadable, "read attachment", err)
	if a.src.err != nil {
		f = fault.Of(a.src.err)
	}
	a.report(f)
	return f
}

func (a *attachment) Read(b []byte) (n int, err error) {
	n, err = a.guarded(b)
	if err != nil && err != io.EOF {
		err = a.fail(err)
	}
	return n, err
}

func (a *attachment) guarded(b []byte) (n int, err error) {
	defer survive(&err)
	return a.file.Read(b)
}

func (a *attachment) Close() error {
	err := a.file.Close()
	if rawErr := a.raw.Close(); err == nil {
		err = rawErr
	}
	return err
}

// attachFailed decides about a call that failed as a whole. When a mail could not be read, the
// call failed for that: the others have their turn at once.
func (d *Deliverer) attachFailed(ctx context.Context, p *parcel, err error, done []Outcome) error {
	if !p.broken() || ctx.Err() != nil {
		return d.callFailed(ctx, p.jobs, true, err, done)
	}
	f := fault.Of(err)
	for _, j := range p.jobs {
		if bad := p.fault(j.ID); bad != nil {
			done = append(done, d.unreadable(j, bad))
			continue
		}
		done = append(done, d.again(j, f.Unknown, d.cfg.Now(), f))
	}
	return d.settle(ctx, done)
}

// unreadable decides about a mail whose file could not be read. What was sent of it is unsure.
func (d *Deliverer) unreadable(j Job, f *fault.Error) Outcome {
	d.note(j.ID).sure = false
	if own(f.Code) {
		return person(j, f.Code, f.Detail)
	}
	return d.again(j, true, d.cfg.Now(), f)
}

// attached decides about each job of a parcel from its files' results.
func (d *Deliverer) attached(ctx context.Context, p *parcel, results []Result) []Outcome {
	failed := make([]*fault.Error, len(p.jobs))
	for i, r := range results {
		u := p.files[i]
		n := d.note(p.jobs[u.job].ID)
		switch {
		case r.Err == nil:
			if n.done == nil {
				n.done = make(map[int]bool)
			}
			n.done[u.file.Index] = true
		case failed[u.job] == nil || r.Err.Unknown:
			failed[u.job] = r.Err
		}
	}
	out := make([]Outcome, len(p.jobs))
	for i, j := range p.jobs {
		switch f, bad := failed[i], p.fault(j.ID); {
		case f == nil:
			out[i] = d.passed(j, d.note(j.ID), true)
		case bad != nil:
			out[i] = d.unreadable(j, bad)
		default:
			d.logRefused(ctx, j, f)
			out[i] = d.refused(j, j.Kind, f)
		}
	}
	return out
}
