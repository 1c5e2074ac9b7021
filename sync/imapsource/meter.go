package imapsource

import (
	"errors"
	"maps"
	"sync"
	"time"

	"hawser/sync/fault"
)

// GmailDayBytes is how much is received from Gmail within a day before bodies have to wait. An
// account that downloads 2,500 MB over IMAP in a day is suspended for a while (Google Workspace
// Admin Help, "Gmail bandwidth limits"), and the user's other mail programs count, too.
const GmailDayBytes = 1_500_000_000

// Usage is how many bytes were received in which hour (since 1970), for the last day.
type Usage map[int64]int64

// tellEvery is after how many bytes the meter tells what was received: so much is forgotten at most
// when the program is killed.
const tellEvery = 8 << 20

// share is what a read may take of the allowance.
type share int

const (
	ofBodies share = 100 // per cent: the bodies of a scan
	ofRest   share = 120 // header blocks, and what a person asks for and waits for
)

// meter counts what is received.
type meter struct {
	now func() time.Time

	mu     sync.Mutex
	limit  int64 // bytes within a day; 0: any
	hours  Usage
	untold int64       // bytes that tell has not heard of
	tell   func(Usage) // does not block
}

func newMeter(cfg Config) *meter {
	m := &meter{now: cfg.Now, limit: cfg.DayBytes, hours: make(Usage), tell: cfg.Received}
	maps.Copy(m.hours, cfg.Used)
	return m
}

func (m *meter) hour() int64 { return m.now().Unix() / 3600 }

// add counts n bytes.
func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hours[m.hour()] += int64(n)
	if m.untold += int64(n); m.untold >= tellEvery {
		m.reportLocked()
	}
}

// report tells what nobody was told yet.
func (m *meter) report() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reportLocked()
}

func (m *meter) reportLocked() {
	if m.limit > 0 && m.untold > 0 && m.tell != nil {
		m.untold = 0
		m.forgetLocked()
		m.tell(maps.Clone(m.hours))
	}
}

// restrict sets the limit unless there is one.
func (m *meter) restrict(limit int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limit == 0 {
		m.limit = limit
	}
}

// usage returns what was received in the last 24 hours and in the one that began before them.
func (m *meter) usage() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgetLocked()
	return maps.Clone(m.hours)
}

func (m *meter) forgetLocked() {
	oldest := m.hour() - 24
	maps.DeleteFunc(m.hours, func(hour, _ int64) bool { return hour < oldest })
}

// allow returns nil when more may be received, else a fault that says for how long not.
func (m *meter) allow(s share) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.limit <= 0 {
		return nil
	}
	m.forgetLocked()
	limit := m.limit / 100 * int64(s)
	var sum int64
	for _, n := range m.hours {
		sum += n
	}
	if sum < limit {
		return nil
	}
	now := m.now()
	hour := m.hour() - 24
	for ; sum >= limit; hour++ { // when the oldest hours no longer count
		sum -= m.hours[hour]
	}
	f := fault.New(fault.MailBusy, "read mails", errors.New("the day's share of downloads is used up"))
	f.After = time.Unix((hour+24)*3600, 0).Sub(now)
	return f
}
