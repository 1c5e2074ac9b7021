package salesforcetest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Call is one request as the Org answered it.
type Call struct {
	Time   time.Time
	Method string
	Path   string   // without site path and query
	Parts  []string // "POST /services/data/v67.0/sobjects/Task" for each composite subrequest
	User   string   // username; empty when nobody was signed in
	Status int
	Sent   int64 // bytes of the request body; -1 when chunked
	Bytes  int   // bytes of the answer's body, before compression
}

// usage counts what Salesforce counts and keeps what is open between requests.
type usage struct {
	total    int
	hours    map[int64]int // calls by hour since 1970
	log      []Call
	locators map[string]*locator
}

func (u *usage) open() {
	u.hours = map[int64]int{}
	u.locators = map[string]*locator{}
}

// dayLocked returns the calls of the last 24 hours.
func (o *Org) dayLocked() int {
	hour := o.now().Unix() / 3600
	n := 0
	for h, c := range o.use.hours {
		if h > hour-24 {
			n += c
		}
	}
	return n
}

func (o *Org) limit() int {
	if o.DailyLimit > 0 {
		return o.DailyLimit
	}
	return 100_000
}

func (o *Org) countLocked(n int) {
	o.use.total += n
	o.use.hours[o.now().Unix()/3600] += n
}

func (o *Org) limitInfoLocked() string {
	return fmt.Sprintf("api-usage=%d/%d", o.dayLocked(), o.limit())
}

// Calls returns how many API calls were made, as Salesforce counts them: a composite is one, a
// batch as many as its parts, OAuth and the list of versions none.
func (o *Org) Calls() int {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.use.total
}

// CallLog returns every request since the beginning or the last ForgetCalls, sign-in included.
func (o *Org) CallLog() []Call {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.use.log)
}

// ForgetCalls empties the call log; counts stay.
func (o *Org) ForgetCalls() {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.use.log = nil
}

// record logs a finished request and tells the web page.
func (o *Org) record(r *http.Request, path string, p *reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.use.log = append(o.use.log, Call{Time: o.now(), Method: r.Method, Path: path, Parts: p.parts, User: p.user,
		Status: p.status, Sent: r.ContentLength, Bytes: len(p.body)})
	o.changedLocked()
}
