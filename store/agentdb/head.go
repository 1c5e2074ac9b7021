package agentdb

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"hawser/store/sqlitedb"
	"hawser/sync/capture"
)

// recipients is how many recipients a list remembers.
const recipients = 5

// head is what a list shows of a mail, sealed into its row until it is captured. It is bound to
// the mail's key too, so a key that changed on the disk cannot make a second record.
type head struct {
	Subject string            `json:"s,omitempty"`
	Date    time.Time         `json:"d,omitzero"`
	From    []capture.Address `json:"f,omitempty"`
	To      []capture.Address `json:"t,omitempty"`
}

func headAAD(id int64, key []byte) sqlitedb.AAD {
	return sqlitedb.AAD{Table: "mail.head", Row: strconv.FormatInt(id, 10) + " " + hex.EncodeToString(key), Schema: schema}
}

// sealHead seals what a list shows of a mail that is queued or held.
func (d *DB) sealHead(id int64, key []byte, m *NewMail) ([]byte, error) {
	h := head{Subject: m.Head.Subject, Date: m.Head.Date, From: first(m.Head.From), To: first(m.Head.To)}
	if h.Date.IsZero() {
		h.Date = m.Received
	}
	// A year that JSON cannot write must not keep a mail out of the queue.
	if y := h.Date.UTC().Year(); y < 1 || y > 9998 {
		h.Date = time.Time{}
	}
	h.Date = h.Date.UTC()
	plain, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode head: %w", err)
	}
	return d.seal.Seal(headAAD(id, key), plain), nil
}

func (d *DB) openHead(id int64, key, sealed []byte) (head, error) {
	var h head
	if sealed == nil {
		return h, nil
	}
	plain, err := d.opened(headAAD(id, key), sealed)
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(plain, &h); err != nil {
		return h, fmt.Errorf("decode head: %w", err)
	}
	return h, nil
}

func first(all []capture.Address) []capture.Address { return all[:min(len(all), recipients)] }
