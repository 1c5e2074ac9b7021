package salesforcetest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// try posts a task and reports what came back; err is set when the connection broke.
func (w world) try(subject string) (status int, body string, err error) {
	req, err := http.NewRequest("POST", w.base+api+"/sobjects/Task", strings.NewReader(fmt.Sprintf(`{"Subject":%q}`, subject)))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	posts := func(method, path string) bool {
		return method == "POST" && strings.HasSuffix(path, "/sobjects/Task")
	}
	for _, tc := range []struct {
		name   string
		do     func(o *Org)
		status int // 0: the connection breaks
		want   string
		saved  int // after the first try
	}{
		{"fail with JSON", func(o *Org) { o.FailNext(1, 500, `[{"errorCode":"UNKNOWN_EXCEPTION","message":"x"}]`) }, 500, "UNKNOWN_EXCEPTION", 0},
		{"fail with HTML", func(o *Org) { o.FailNext(1, 503, "<html>maintenance</html>") }, 503, "maintenance", 0},
		{"portal", func(o *Org) { o.ServeHTML(1) }, 200, "<html>", 0},
		{"lost reply", func(o *Org) { o.LoseReply(posts, 1) }, 0, "", 1},
		{"any lost reply", func(o *Org) { o.LoseReply(nil, 1) }, 0, "", 1},
		{"half reply", func(o *Org) { o.HalfReply(posts, 1) }, 0, "", 1},
		{"locked rows", func(o *Org) { o.LockRows(1) }, 400, "UNABLE_TO_LOCK_ROW", 0},
		{"not matching", func(o *Org) { o.LoseReply(func(string, string) bool { return false }, 1) }, 201, "", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &Org{})
			tc.do(w.Org)
			status, body, err := w.try("first")
			if (err != nil) != (tc.status == 0) || tc.status != 0 && (status != tc.status || !strings.Contains(body, tc.want)) {
				t.Errorf("answer is %d %q %v", status, body, err)
			}
			if n := len(w.Records("Task")); n != tc.saved {
				t.Errorf("%d tasks saved, want %d", n, tc.saved)
			}
			if status, body, err := w.try("second"); status != 201 || err != nil {
				t.Errorf("afterwards: %d %s %v", status, body, err)
			}
		})
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{})
	for _, tc := range []struct {
		name   string
		do     func(on bool)
		status int
		want   string
	}{
		{"read only", w.ReadOnly, 503, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"},
		{"storage", w.StorageFull, 400, "STORAGE_LIMIT_EXCEEDED"},
		{"disabled", w.APIDisabled, 403, "API_DISABLED_FOR_ORG"},
	} {
		tc.do(true)
		if status, body, err := w.try("x"); status != tc.status || !strings.Contains(body, tc.want) || err != nil {
			t.Errorf("%s: %d %s %v", tc.name, status, body, err)
		}
		w.Calm()
		if status, body, err := w.try("x"); status != 201 || err != nil {
			t.Errorf("after %s: %d %s %v", tc.name, status, body, err)
		}
	}
	w.Delay(50 * time.Millisecond)
	start := time.Now()
	if _, _, err := w.try("slow"); err != nil || time.Since(start) < 50*time.Millisecond {
		t.Errorf("delay of %v, %v", time.Since(start), err)
	}
	w.Delay(0)
	w.ExpireAccess()
	if status, _, _ := w.try("x"); status != 401 {
		t.Errorf("with an expired token: %d", status)
	}
}

func TestParallelUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &Org{MailKey: true})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				if status, body, err := w.try(fmt.Sprint(i, j)); status != 201 || err != nil {
					t.Errorf("%d %s %v", status, body, err)
				}
				w.Records("Task")
				w.AddContact("A B", fmt.Sprintf("%d.%d@x.example", i, j), "")
				w.Calls()
				w.CallLog()
				w.MintToken(DefaultUsername)
			}
		})
	}
	wg.Wait()
	if n := len(w.Records("Task")); n != 80 {
		t.Errorf("%d tasks, want 80", n)
	}
}
