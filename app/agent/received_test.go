package agent

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"hawser/sync/imapsource"
)

// TestReceivedBytesAreKept: a restart does not give back what the mailbox handed over today, and the
// last of what is told is what counts.
func TestReceivedBytesAreKept(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	a := r.agent()
	r.both(a)
	hour := time.Now().Unix() / 3600
	told := newTally()
	var keeping sync.WaitGroup
	keeping.Go(func() { a.keepReceived(t.Context(), told) })
	for n := range int64(100) {
		told.put(imapsource.Usage{hour - 5: 7_000_000, hour: n})
	}
	told.end()
	keeping.Wait()
	told.put(imapsource.Usage{})                     // of a call that is still under way
	src, err := a.newSource(t.Context(), newTally()) // as at each start
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if want := (imapsource.Usage{hour - 5: 7_000_000, hour: 99}); !reflect.DeepEqual(src.Usage(), want) {
		t.Errorf("after a restart %v, want %v", src.Usage(), want)
	}
}
