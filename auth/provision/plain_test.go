package provision

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// full are check-ins with every member of a report set, so that one that is added later is not
// left to the long way.
var full = []CheckInIn{
	{Report{"1.2.3+4", "linux", "working", "E-1", 7, Counts{1, 20, 300, 4000, 50_000, 999_999_999_999_999_999}}},
	{Report{"1", "windows", "", "", 0, Counts{}}},
}

func TestPlainCheckInIsWhatAgentsSend(t *testing.T) {
	t.Parallel()
	for _, want := range full {
		body, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := plainCheckIn(body); !ok || got != want {
			t.Errorf("%s is read as %+v, %v", body, got, ok)
		}
	}
}

func FuzzB37PlainCheckIn(f *testing.F) {
	for _, in := range full {
		body, _ := json.Marshal(in)
		f.Add(body)
		for _, change := range []struct{ old, new string }{
			{`"1`, `"\u0031`}, {`:0`, `:00`}, {`:0`, `:-0`}, {`:0`, `:1e3`}, {`}}}`, `}}} `}, {`}}}`, `}}}{`}, {`"os"`, `"OS"`}, {`linux`, "lin\u202eux"},
			{`linux`, "l\x7f"}, {`"state"`, `"os":"","state"`}, {`999`, `9999`}, {`"1"`, `"` + strings.Repeat("1", maxString+1) + `"`}, {`:7`, `:`}, {`:7`, `:"7"`},
		} {
			f.Add([]byte(strings.Replace(string(body), change.old, change.new, 1)))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := plainCheckIn(body)
		if !ok {
			return
		}
		var want CheckInIn
		if err := strict(body, &want); err != nil || got != want {
			t.Fatalf("%q is read as %+v, and the long way as %+v, %v", body, got, want, err)
		}
	})
}

func FuzzPlainAnswer(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)
	f.Add("active", "acme", "", "", "", int64(0), 45, at.UnixMicro(), false)
	f.Add("suspended", "acme & co", "sales", "a@acme.example", "b@acme.example", int64(7), 45, int64(0), false)
	f.Add("removed", "ac\"me\\", "\u2028", "<", ">", int64(-1), -1, int64(-1<<62), false)
	f.Add("active", "ä", "g", "a", "", int64(1<<62), 1, int64(1<<62), true)
	f.Add("active", "acme", "g\x7f", "\x1f", "\xff", int64(1<<62), 1, at.Unix(), true)
	f.Fuzz(func(t *testing.T, state, name, group, a, b string, policy int64, interval int, since int64, local bool) {
		if state != StandingSuspended && state != StandingRemoved {
			state = StandingActive
		}
		out := CheckInOut{State: state, Since: time.UnixMicro(since).UTC(), TenantName: name, Group: group, PolicyVersion: policy, Interval: interval}
		if local {
			out.Since = out.Since.In(time.FixedZone("", 3600))
		}
		for _, alias := range []string{a, b} {
			if alias != "" {
				out.Aliases = append(out.Aliases, alias)
			}
		}
		got, ok := out.plainAnswer()
		if !ok {
			return
		}
		if want, err := json.Marshal(out); err != nil || string(got) != string(want) {
			t.Fatalf("%s is written, and the long way %s, %v", got, want, err)
		}
	})
}

func TestPlainAnswerIsWhatAgentsHear(t *testing.T) {
	t.Parallel()
	for _, out := range []CheckInOut{
		{State: StandingActive, Since: time.Now().UTC(), TenantName: "acme", Interval: 45},
		{State: StandingSuspended, TenantName: "acme", Group: "sales", Aliases: []string{"a@acme.example", "b@acme.example"}, PolicyVersion: 7},
	} {
		if _, ok := out.plainAnswer(); !ok {
			t.Errorf("%+v goes the long way", out)
		}
	}
}
