package engine

import (
	"context"
	"fmt"

	"hawser/sync/capture"
	"hawser/sync/fault"
	"hawser/sync/rules"
)

// self is what identifies one mail: its header, and a digest for when that has no Message-ID.
type self struct {
	head   capture.Header
	print  [32]byte // its fingerprint
	digest [32]byte // of the content, where it is here, else of the header block
}

// known is who a mail is to the ledger.
type known struct {
	key  capture.Key
	row  Known
	seen bool // row holds
}

// claim is what one mail claims to be.
type claim struct {
	key   capture.Key
	print [32]byte
}

// identify gives each mail its key and asks the ledger about it. A Message-ID is enough unless it
// is missing, given twice in one mail, or taken by another mail.
func identify(ctx context.Context, cfg *Config, mails []self) ([]known, error) {
	all := make([]known, len(mails))
	claims := make(map[claim]bool, len(mails))
	for i, m := range mails {
		switch {
		case m.head.MessageID == "":
			all[i].key = capture.DigestKey(cfg.Account, "", m.digest)
		case m.head.Ambiguous:
			all[i].key = capture.DigestKey(cfg.Account, m.head.MessageID, m.print)
		default:
			all[i].key = capture.MailKey(cfg.Account, m.head.MessageID)
		}
		claims[claim{all[i].key, m.print}] = true
	}
	rows, err := lookUp(ctx, cfg.Ledger, claims)
	if err != nil {
		return nil, err
	}
	clear(claims)
	first := make(map[capture.Key][32]byte, len(mails))
	for i, m := range mails {
		row, seen := rows[claim{all[i].key, m.print}]
		all[i].row, all[i].seen = row, seen
		if m.head.MessageID == "" || m.head.Ambiguous {
			continue
		}
		owner, here := first[all[i].key]
		if seen && !row.Same || !seen && here && owner != m.print {
			all[i] = known{key: capture.DigestKey(cfg.Account, m.head.MessageID, m.print)}
			claims[claim{all[i].key, m.print}] = true
		} else if !here {
			first[all[i].key] = m.print
		}
	}
	if rows, err = lookUp(ctx, cfg.Ledger, claims); err != nil {
		return nil, err
	}
	for i, m := range mails {
		if row, seen := rows[claim{all[i].key, m.print}]; seen {
			all[i].row, all[i].seen = row, true
		}
	}
	return all, nil
}

// lookUp asks the ledger about claims, which it empties. Two that are at odds take two questions.
func lookUp(ctx context.Context, l Ledger, claims map[claim]bool) (map[claim]Known, error) {
	found := make(map[claim]Known, len(claims))
	for len(claims) > 0 {
		prints := make(map[capture.Key][32]byte, len(claims))
		for c := range claims {
			if _, taken := prints[c.key]; !taken {
				prints[c.key] = c.print
				delete(claims, c)
			}
		}
		rows, err := l.Known(ctx, prints)
		if err != nil {
			return nil, fmt.Errorf("ask ledger: %w", err)
		}
		for key, row := range rows {
			found[claim{key, prints[key]}] = row
		}
	}
	return found, nil
}

// consent reports whether a mark is a person's own.
func consent(m capture.Mark) bool {
	return m == capture.MarkFolder || m == capture.MarkKeyword || m == capture.MarkHand
}

// rethinks reports whether a mail that the ledger has as filtered or held is thought of again. What
// a person marks in the mailbox counts unless they marked it before, for then they decided about
// it in the program since. What rules left out they may let in later: in another folder, or
// after an edit. The ledger has the last word.
func rethinks(row Known, mark capture.Mark) bool {
	if row.State != filtered && row.State != held {
		return false
	}
	anew := consent(mark) && !consent(row.Mark)
	switch {
	case mark == capture.MarkHand:
		return true
	case row.State == filtered:
		return anew || rules.Reason(row.Why).ByRules()
	default:
		return anew && (row.Why == "" || byRules(fault.Code(row.Why)))
	}
}

// byRules reports whether a mail is held for a cause that its owner's mark answers.
func byRules(c fault.Code) bool {
	switch c {
	case fault.Unmatched, fault.BlockedAddress, fault.MarkedPrivate, fault.SensitiveWord, fault.SensitiveLabel:
		return true
	}
	return false
}
