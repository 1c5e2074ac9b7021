package imapsource

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hawser/sync/costtest"
)

const greeting = "* OK hello\r\n"

// filtered runs input through a fresh filter in pieces of at most size bytes.
func filtered(input []byte, size int) (out []byte, notices []string) {
	var f lineFilter
	for len(input) > 0 {
		piece := input[:min(size, len(input))]
		input = input[len(piece):]
		for len(piece) > 0 {
			if n := f.passing(len(piece)); n > 0 { // as the wire does
				out = append(out, piece[:n]...)
				f.passed(n)
				piece = piece[n:]
				continue
			}
			one := piece[:1]
			if size > 1 {
				one = piece
			}
			out = f.feed(out, one)
			piece = piece[len(one):]
		}
		if n := f.takeNotice(); n != "" {
			notices = append(notices, n)
		}
	}
	return out, notices
}

func TestLineFilter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ in, out, notice string }{
		"plain answers": {
			"* 3 EXISTS\r\n* SEARCH 1 2\r\nT1 OK done\r\n+ go on\r\n",
			"* 3 EXISTS\r\n* SEARCH 1 2\r\nT1 OK done\r\n+ go on\r\n", "",
		},
		"unknown answers":       {"* VANISHED 1:3\r\n* 5 FOO bar\r\n* XLIST (\\x) \"/\" y\r\nT1 OK\r\n", "T1 OK\r\n", ""},
		"unknown with literals": {"* LSUB () \"/\" {3}\r\nabc {2}\r\n* \r\nT1 OK\r\n", "T1 OK\r\n", ""},
		"flags":                 {"* FLAGS (\\Seen [x])\r\n* OK [PERMANENTFLAGS ([x])] {5}\r\n* OK [UIDNEXT 5] x\r\n", "* OK [UIDNEXT 5] x\r\n", ""},
		"literals hold anything": {
			"* 1 FETCH (BODY[] {14}\r\n* VANISHED 1\r\n FLAGS (\\Seen) BODY[1] {0}\r\n)\r\n* BAR\r\n",
			"* 1 FETCH (BODY[] {14}\r\n* VANISHED 1\r\n FLAGS (\\Seen) BODY[1] {0}\r\n)\r\n", "",
		},
		"a literal after a space":  {"* 1 FETCH (BODY[] {5} \r\n* FOO)\r\n", "* 1 FETCH (BODY[] {5} \r\n* FOO)\r\n", ""},
		"braces in a status text":  {"* OK still here {9}\r\n* FOO\r\nT1 NO {9}\r\n* FOO\r\n", "* OK still here {9}\r\nT1 NO {9}\r\n", ""},
		"goodbye":                  {"* bye too many {3}\r\n", "* bye too many {3}\r\n", "* bye too many {3}"},
		"alert":                    {"* OK [ALERT] full\r\n* OK fine\r\n", "* OK [ALERT] full\r\n* OK fine\r\n", "* OK [ALERT] full"},
		"small letters":            {"* search 1\r\n* 1 expunge\r\n* vanished 3\r\n", "* search 1\r\n* 1 expunge\r\n", ""},
		"no space before the list": {"* 1 FETCH(UID 3)\r\n* LIST(\\x) \"/\" y\r\n", "* 1 FETCH(UID 3)\r\n* LIST(\\x) \"/\" y\r\n", ""},
		"a long unknown word":      {"* " + strings.Repeat("X", 100) + "\r\nT1 OK\r\n", "T1 OK\r\n", ""},
		"lone line feeds":          {"* FOO\n* 1 EXISTS\n", "* 1 EXISTS\n", ""},
		"nonsense":                 {"*\r\n\r\n* \r\n*1 FOO\r\n", "*\r\n\r\n* \r\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 7, 1 << 20} {
				out, notices := filtered([]byte(greeting+tt.in), size)
				if string(out) != greeting+tt.out {
					t.Errorf("in pieces of %d: got %q, want %q", size, out, greeting+tt.out)
				}
				if got := strings.Join(notices, "|"); got != tt.notice {
					t.Errorf("in pieces of %d: notice %q, want %q", size, got, tt.notice)
				}
			}
		})
	}
	t.Run("nothing is dropped before the greeting", func(t *testing.T) {
		t.Parallel()
		for _, in := range []string{"* FOO bar\r\n", "HTTP/1.1 400 Bad Request\r\n", "* 5 FOO\r\n"} {
			if out, _ := filtered([]byte(in), 1); string(out) != in {
				t.Errorf("got %q, want %q", out, in)
			}
		}
	})
}

// TestLineFilterBesideTheLibrary: while somebody else has a command under way, all answers are kept
// apart for them, in whatever pieces they come.
func TestLineFilterBesideTheLibrary(t *testing.T) {
	t.Parallel()
	const in = "* 1 FETCH (UID 5 X-GM-LABELS ({4}\r\n)\r\n* \\Inbox) BODYSTRUCTURE (\"A\" {0}\r\n))\r\n" +
		"* OK [UIDVALIDITY 7] {3}\r\n* SEARCH 1 2\r\n* 5 EXISTS\r\n* VANISHED 3\r\n+ go on\r\n*\r\n" +
		"* BYE enough\r\nWX1 OK {9}\r\nT9 OK done\r\n"
	want := []string{
		"* 1 FETCH (UID 5 X-GM-LABELS ({4}\r\n)\r\n* \\Inbox) BODYSTRUCTURE (\"A\" {0}\r\n))",
		"* OK [UIDVALIDITY 7] {3}", "* SEARCH 1 2", "* 5 EXISTS", "* VANISHED 3", "+ go on", "*", "WX1 OK {9}",
	}
	for _, size := range []int{1, 2, 3, 5, 1 << 20} {
		f := lineFilter{greeted: true, split: true, whole: true}
		var out []byte
		var own []string
		for piece := range slices.Chunk([]byte(in), size) {
			out = f.feed(out, piece)
			own = append(own, f.takeOwn()...)
		}
		if string(out) != "* BYE enough\r\nT9 OK done\r\n" || f.takeNotice() != "* BYE enough" || !slices.Equal(own, want) {
			t.Errorf("in pieces of %d: out %q, own %q", size, out, own)
		}
	}
	f := lineFilter{greeted: true, split: true, whole: true}
	_ = f.feed(nil, []byte("* 1 FETCH (X {9000000}\r\n"))
	for range 90 {
		_ = f.feed(nil, make([]byte, 100_000))
	}
	_ = f.feed(nil, []byte(")\r\n"))
	if own := f.takeOwn(); len(own) != 1 || len(own[0]) != maxOwn {
		t.Errorf("%d answers", len(own))
	}
}

// FuzzLineFilter: how the bytes arrive never matters, and the filter only removes.
func FuzzLineFilter(f *testing.F) {
	f.Add([]byte(greeting+"* 1 FETCH (BODY[] {5}\r\nhello)\r\n* VANISHED 3\r\n* BYE x\r\n"), 3)
	f.Add([]byte("* PREAUTH\r\n* LSUB {3}\r\nabc\r\n{18446744073709551615}\r\n"), 1)
	f.Add([]byte(greeting+"* OK [PERMANENTFLAGS (]\r\n* FLAGS {9223372036854775807}\r\n"), 2)
	for _, piece := range []string{"(", "*", "+ ", "* BYE x\r\n", "{4294967295}\r\n", "{99999999999999999999}\r\n", "{0}\r\n", "* 1 FETCH (BODY[] {3}\r\n", "WX1 OK\r\n", "\r", "\n", "\x00", "* 4294967296 EXISTS\r\n"} { // A53
		f.Add([]byte(greeting+strings.Repeat(piece, 800)), 7)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = 1 + (size&0xff)%64
		var whole, out []byte
		var all, some []string
		costtest.Check(t, func() {
			whole, all = filtered(in, len(in)+1)
			out, some = filtered(in, size)
		})
		// The end of a last line may still be held back; what is out must agree.
		n := min(len(whole), len(out))
		if !bytes.Equal(whole[:n], out[:n]) || max(len(whole), len(out))-n > maxHead {
			t.Fatalf("in pieces of %d: %q\nas a whole: %q", size, out, whole)
		}
		if len(whole) > len(in) {
			t.Fatalf("%d bytes became %d", len(in), len(whole))
		}
		for _, text := range append(all, some...) {
			if len(text) > 2*maxNotice {
				t.Fatalf("a notice of %d bytes", len(text))
			}
		}
	})
}
