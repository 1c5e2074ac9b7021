package reqsig

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var basePairs = flag.Int("basepairs", 100_000, "pairs of requests whose signature bases are compared")

// bits are what requests are made of: delimiters of every layer, their escapes, and what stands between them.
var bits = []string{
	"a", "b", "1", "=", "&", "?", "/", "//", ".", "..", "%2e", "%2E", "%2F", "%2f", "%20", "+", "%2B", "%0a", "%0A", "%00", "\n", "\r", "\"", "\\", ";", ":", "#", "%", "%%", "@", "é", "\x00", " ", "v1", "users", "\"@path\": ", "content-digest",
}

// TestB27TwoRequestsNeverShareABase compares pairs of requests that differ in one bit of text, in the order of two, or
// in everything.
func TestB27TwoRequestsNeverShareABase(t *testing.T) {
	t.Parallel()
	var done, taken atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint64(runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(worker, 27))
			for done.Add(1) <= int64(*basePairs) && !t.Failed() {
				if pair(t, dice) {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d pairs, of which the bounds let %d through on both sides", *basePairs, taken.Load())
	if taken.Load() < int64(*basePairs)/20 {
		t.Errorf("of %d pairs only %d could be signed", *basePairs, taken.Load())
	}
}

type draft struct{ method, uri, params string }

func pair(t *testing.T, dice *rand.Rand) (both bool) {
	one := draft{method: "GET", uri: "/" + text(dice, dice.IntN(6)), params: params{created: int64(dice.IntN(100)), nonce: strings.Repeat("a", 22), keyID: "k"}.text()}
	if dice.IntN(2) == 0 {
		one.uri += "?" + text(dice, dice.IntN(6))
	}
	two := one
	switch dice.IntN(6) {
	case 0:
		two.method = []string{"POST", "get", "GET ", "G\nET"}[dice.IntN(4)]
	case 1:
		two.params = strings.Replace(one.params, "a", bits[dice.IntN(len(bits))], 1)
	case 2: // the end of one part is the beginning of the next
		at := 1 + dice.IntN(len(one.uri))
		two.uri = one.uri[:at-1] + bits[dice.IntN(len(bits))] + one.uri[at:]
	case 3:
		at := dice.IntN(len(one.uri) + 1)
		two.uri = one.uri[:at] + bits[dice.IntN(len(bits))] + one.uri[at:]
	case 4:
		a, b, _ := strings.Cut(one.uri[1:], "&")
		two.uri = "/" + b + "&" + a
	default:
		two.uri = "/" + text(dice, dice.IntN(8))
	}
	c, ok := accepted(one.method, one.uri, one.params)
	d, okToo := accepted(two.method, two.uri, two.params)
	if ok && okToo && one != two && string(c.base()) == string(d.base()) {
		t.Errorf("%+q and %+q share a base", one, two)
	}
	return ok && okToo && one != two
}

func text(dice *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(bits[dice.IntN(len(bits))])
	}
	return b.String()
}

// BenchmarkB31MAC is the part of a check that somebody without a key can make the server do.
func BenchmarkB31MAC(b *testing.B) {
	c := components{method: "POST", authority: "hawser.example.com", path: "/v1/checkin", query: "?", digest: digest(nil)}
	c.params = params{created: 1_760_000_000, nonce: strings.Repeat("a", 24), keyID: "d_" + strings.Repeat("A", 26)}.text()
	secret, sig := make([]byte, 32), [32]byte{}
	for b.Loop() {
		if same(mac(secret, c.base()), sig) {
			b.Fatal("equal")
		}
	}
}
