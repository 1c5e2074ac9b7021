package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hawser/sync/capture"
	"hawser/sync/rules"
)

// inbox is the one folder name that IMAP defines (RFC 3501 section 5.1).
const inbox = "INBOX"

const (
	// checkEvery is how often the mailbox is compared with the ledger, and checkDays how far back.
	checkEvery = 24 * time.Hour
	checkDays  = 7 * 24 * time.Hour
	// talkDays is how far back the first look for followed conversations goes.
	talkDays = 90 * 24 * time.Hour
	// checked is the name of the cursor that says when that was last done.
	checked = "reconcile"
	// read is the Next of a cursor whose folder was read to its end, once and for all.
	read = ^uint32(0)
	// maxWatched is how many folders an ear is kept on: each takes a connection, and providers
	// allow few to all programs of a person together.
	maxWatched = 4
)

// scan is one step of a plan.
type scan struct {
	folder    capture.Folder
	cursor    string       // the name of its cursor; "" keeps none and begins at the beginning
	mark      capture.Mark // "" where nobody marked the mails
	since     time.Time
	threads   bool // only followed conversations are looked for
	past      bool // it reads history, and anything else goes before
	reconcile bool
}

// wish is what is wanted beside marked mails.
type wish struct {
	set       *rules.Set
	following map[int64]time.Time
	now       time.Time
}

// earliest returns from when on followed conversations are looked for; zero for none. One that is
// followed with all its past does not make a first look read the whole mailbox.
func (w wish) earliest() time.Time {
	var first time.Time
	for _, since := range w.following {
		if first.IsZero() || since.Before(first) {
			first = since
		}
	}
	if floor := w.now.Add(-talkDays); !first.IsZero() && first.Before(floor) {
		return floor
	}
	return first
}

// since returns from when on what nobody marked in a folder is looked at, where automatic capture
// looks at it from a time on: its followed conversations may be older.
func (w wish) since(f capture.Folder, from time.Time) time.Time {
	first := w.earliest()
	if !first.IsZero() && first.Before(from) && talks(f) {
		return first
	}
	return from
}

// talks reports whether followed conversations go on in a folder.
func talks(f capture.Folder) bool { return f.Role == "inbox" || f.Role == "sent" }

// passedOver reports whether nobody marks mail in a folder, and none is captured from it unless it
// was chosen.
func passedOver(f capture.Folder) bool {
	return f.Role == "trash" || f.Role == "junk" || f.Role == "drafts"
}

// plan lists the scans for the folders to look at: the capture folder whole, the others by keyword,
// then what nobody marked.
func plan(folders []capture.Folder, captureFolder string, w wish) []scan {
	var scans []scan
	for _, f := range folders {
		switch {
		case strings.EqualFold(f.Name, captureFolder):
			scans = slices.Insert(scans, 0, scan{folder: f, cursor: "folder:" + f.Name, mark: capture.MarkFolder})
		case !passedOver(f):
			scans = append(scans, scan{folder: f, cursor: "keyword:" + f.Name, mark: capture.MarkKeyword})
		}
	}
	for _, f := range folders {
		if s, ok := unmarked(f, captureFolder, w); ok {
			scans = append(scans, s)
		}
	}
	return scans
}

// unmarked returns the scan for the mails of a folder that nobody marked. Its cursor's name says
// when automatic capture was turned on: turned on again, it does not make up for the time between.
func unmarked(f capture.Folder, captureFolder string, w wish) (scan, bool) {
	switch {
	case strings.EqualFold(f.Name, captureFolder):
	case w.set.Automatic() && w.set.Looks(f):
		name := fmt.Sprintf("auto:%d:%s", w.set.Since().Unix(), f.Name)
		return scan{folder: f, cursor: name, since: w.since(f, w.set.Since())}, true
	case len(w.following) > 0 && talks(f):
		return scan{folder: f, cursor: "thread:" + f.Name, since: w.earliest(), threads: true}, true
	}
	return scan{}, false
}

// history lists the scans for what came before automatic capture was turned on.
func history(folders []capture.Folder, captureFolder string, w wish) []scan {
	if !w.set.Automatic() || !w.set.Start().Before(w.set.Since()) {
		return nil
	}
	var scans []scan
	for _, f := range folders {
		if w.set.Looks(f) && !strings.EqualFold(f.Name, captureFolder) {
			scans = append(scans, scan{
				folder: f, cursor: fmt.Sprintf("past:%d:%s", w.set.Start().Unix(), f.Name), since: w.set.Start(), past: true,
			})
		}
	}
	return scans
}

// comparison turns a plan into one that finds what the ledger does not have of the last days.
func comparison(scans []scan, w wish, now time.Time) []scan {
	begin := now.Add(-checkDays)
	for i := range scans {
		s := &scans[i]
		s.cursor, s.reconcile = "", true
		if s.mark == "" && !s.threads {
			s.since = w.since(s.folder, w.set.Start())
		}
		if s.since.Before(begin) {
			s.since = begin
		}
	}
	return scans
}

// watched lists the folders in which something is expected at any time.
func watched(folders []capture.Folder, captureFolder string, w wish) []string {
	names := []string{captureFolder, inbox}
	for _, f := range folders {
		_, ok := unmarked(f, captureFolder, w)
		if ok && len(names) < maxWatched && !strings.EqualFold(f.Name, inbox) {
			names = append(names, f.Name)
		}
	}
	return names
}
