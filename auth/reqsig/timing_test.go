package reqsig_test

import (
	"encoding/base64"
	"flag"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hawser/auth/reqsig"
)

var samples = flag.Int("samples", 10_000, "timings of each side of the comparison of signatures")

// TestB34WrongByteTakesTheSameTime compares signatures that are wrong in the first byte with ones that are wrong in
// the last, in random order, as dudect does: Welch's t between the two, at several cuts of the slow end.
func TestB34WrongByteTakesTheSameTime(t *testing.T) {
	// Not parallel: this measures.
	v := verifier(t, &nonces{}, now)
	r := signed(t, "t_acme", "POST", "/v1/checkin", "")
	r.RequestURI = r.URL.RequestURI()
	signatures := [2][]byte{wrongAt(t, r, 0), wrongAt(t, r, 31)}
	least := math.Inf(1)
	for try := 0; try < 3 && least >= 4.5; try++ { // a busy machine is not an oracle
		least = min(least, compare(t, v, r, signatures))
	}
	if least >= 4.5 {
		t.Errorf("|t| = %.2f, want below 4.5", least)
	}
}

// wrongAt is a request's signature with one wrong byte.
func wrongAt(t *testing.T, r *http.Request, at int) []byte {
	t.Helper()
	text := strings.Trim(strings.TrimPrefix(r.Header.Get("Signature"), "sig1="), ":")
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	sig[at] ^= 0x80
	return []byte("sig1=:" + base64.StdEncoding.EncodeToString(sig) + ":")
}

// compare returns the greatest |t| over the cuts. There is one request in one place of the memory, and a fresh copy of
// either signature: two maps, or two strings that stay, have places of their own, which would show.
func compare(t *testing.T, v *reqsig.Verifier, r *http.Request, signatures [2][]byte) float64 {
	r.Header = r.Header.Clone()
	value, text := r.Header["Signature"], make([]byte, len(signatures[0]))
	dice := rand.New(rand.NewPCG(uint64(*samples), uint64(time.Now().UnixNano())))
	took := [2][]float64{make([]float64, 0, *samples), make([]float64, 0, *samples)}
	for len(took[0]) < *samples || len(took[1]) < *samples {
		side := dice.IntN(2)
		if len(took[side]) == *samples {
			side = 1 - side
		}
		copy(text, signatures[side])
		value[0] = string(text)
		start := time.Now()
		_, err := v.Verify(r)
		d := time.Since(start)
		if code(err) != "401 refused" {
			t.Fatalf("got %v", err)
		}
		took[side] = append(took[side], float64(d))
	}
	all := slices.Concat(took[0], took[1])
	slices.Sort(all)
	worst := 0.0
	for _, cut := range []float64{0.5, 0.9, 0.99, 1} {
		tv := welch(took, all[int(float64(len(all)-1)*cut)])
		t.Logf("fastest %.0f %%: t = %.2f", cut*100, tv)
		worst = max(worst, math.Abs(tv))
	}
	return worst
}

// welch returns t of the samples that took no longer than limit.
func welch(took [2][]float64, limit float64) float64 {
	var mean, spread, n [2]float64
	for i, side := range took {
		for _, d := range side {
			if d <= limit { // Welford's way
				n[i]++
				delta := d - mean[i]
				mean[i] += delta / n[i]
				spread[i] += delta * (d - mean[i])
			}
		}
		spread[i] /= n[i] - 1
	}
	return (mean[0] - mean[1]) / math.Sqrt(spread[0]/n[0]+spread[1]/n[1])
}
