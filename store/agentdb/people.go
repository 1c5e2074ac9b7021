package agentdb

import (
	"bytes"
	"slices"
	"strings"

	"hawser/sync/capture"
)

// personSize is how much is kept of an address: 8 bytes of its keyed hash.
const personSize = 8

// personOf returns the keyed hash of an address in any case.
func (d *DB) personOf(address string) []byte {
	return d.seal.KeyedHash("address", []byte(plainAddress(address)))[:personSize]
}

func plainAddress(address string) string { return strings.ToLower(strings.TrimSpace(address)) }

// peopleOf returns the sorted hashes of everybody a header names. They tell later which mails an
// address had to do with, when the address itself is long gone.
func (d *DB) peopleOf(h *capture.Header) []byte {
	seen := map[string]bool{}
	var hashes [][]byte
	for _, list := range [][]capture.Address{h.From, h.Sender, h.ReplyTo, h.To, h.Cc, h.Bcc} {
		for _, a := range list {
			if p := plainAddress(a.Addr); p != "" && !seen[p] {
				seen[p] = true
				hashes = append(hashes, d.personOf(p))
			}
		}
	}
	slices.SortFunc(hashes, bytes.Compare)
	return bytes.Join(hashes, nil)
}

// without removes one hash from people and reports whether it was there.
func without(people, person []byte) (rest []byte, had bool) {
	for p := range slices.Chunk(people, personSize) {
		if bytes.Equal(p, person) {
			had = true
		} else {
			rest = append(rest, p...)
		}
	}
	return rest, had
}
