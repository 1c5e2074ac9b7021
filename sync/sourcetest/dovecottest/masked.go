package dovecottest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// uses says by what a command, in upper case, uses a capability.
var uses = map[string]*regexp.Regexp{
	"CONDSTORE":     regexp.MustCompile(`\(CONDSTORE\)| MODSEQ|CHANGEDSINCE|UNCHANGEDSINCE`),
	"QRESYNC":       regexp.MustCompile(`QRESYNC|VANISHED`),
	"ENABLE":        regexp.MustCompile(`^ENABLE`),
	"ESEARCH":       regexp.MustCompile(`SEARCH RETURN`),
	"SPECIAL-USE":   regexp.MustCompile(`^LIST.*SPECIAL-USE`),
	"LIST-EXTENDED": regexp.MustCompile(`^LIST (\(|.* RETURN )`),
	"LIST-STATUS":   regexp.MustCompile(`^LIST.*RETURN.*STATUS`),
	"MOVE":          regexp.MustCompile(`^(UID )?MOVE`),
	"UIDPLUS":       regexp.MustCompile(`^UID EXPUNGE`),
	"IDLE":          regexp.MustCompile(`^IDLE`),
	"BINARY":        regexp.MustCompile(`BINARY(\.PEEK|\.SIZE)?\[`),
	"SORT":          regexp.MustCompile(`^(UID )?SORT`),
	"THREAD":        regexp.MustCompile(`^(UID )?THREAD`),
}

// refusal returns the answer to a command that the mask does not let through; "": it does.
func (m Mask) refusal(command string) string {
	command = strings.ToUpper(command)
	for capability, sign := range uses {
		if (slices.Contains(m.Hide, capability) || slices.Contains(m.Claim, capability)) && sign.MatchString(command) {
			return "BAD unknown: " + capability
		}
	}
	if m.ASCII && strings.Contains(command, " CHARSET ") {
		return "NO [BADCHARSET (US-ASCII)] The specified charset is not supported."
	}
	return ""
}

var (
	capabilityLine = regexp.MustCompile(`(\* |\[)CAPABILITY ([^\]\r\n]*)`)
	specialUses    = regexp.MustCompile(` ?\\(Sent|Trash|Drafts|Junk|All|Archive|Flagged)\b`)
	fetchAnswer    = regexp.MustCompile(`^\* \d+ FETCH \(`)
	fetchedUID     = regexp.MustCompile(`\bUID (\d+)`)
	copyCode       = regexp.MustCompile(`\[(APPENDUID|COPYUID)[^\]]*\] ?`)
)

// answer masks one line of the server's.
func (k *masking) answer(line string) string {
	m := k.m.mask
	hidden := func(capability string) bool { return slices.Contains(m.Hide, capability) }
	line = capabilityLine.ReplaceAllStringFunc(line, func(s string) string {
		found := capabilityLine.FindStringSubmatch(s)
		caps := slices.DeleteFunc(strings.Fields(found[2]), func(c string) bool {
			name, _, _ := strings.Cut(c, "=")
			return hidden(c) || hidden(name)
		})
		caps = append(caps, m.Claim...)
		if m.Labels != nil && !slices.Contains(caps, "X-GM-EXT-1") {
			caps = append(caps, "X-GM-EXT-1")
		}
		return found[1] + "CAPABILITY " + strings.Join(caps, " ")
	})
	switch {
	case hidden("CONDSTORE") && (strings.HasPrefix(line, "* OK [HIGHESTMODSEQ") || strings.HasPrefix(line, "* OK [NOMODSEQ")):
		return ""
	case hidden("SPECIAL-USE") && strings.HasPrefix(line, "* LIST "):
		line = specialUses.ReplaceAllString(line, "")
	}
	if hidden("UIDPLUS") {
		line = copyCode.ReplaceAllString(line, "")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	tag, _, _ := strings.Cut(line, " ")
	switch {
	case tag == k.signing:
		k.signing = ""
	case tag == k.labels:
		k.labels = ""
	case k.labels != "" && fetchAnswer.MatchString(line):
		if found := fetchedUID.FindStringSubmatch(line); found != nil {
			uid, _ := strconv.ParseUint(found[1], 10, 32)
			at := len(fetchAnswer.FindString(line))
			line = line[:at] + "X-GM-LABELS (" + strings.Join(m.Labels(k.folder, uint32(uid)), " ") + ") " + line[at:]
		}
	}
	return line
}

var (
	rawSearch = regexp.MustCompile(`(?s)X-GM-RAW (?:"((?:[^"\\]|\\.)*)"|\{\d+\+\}\r\n(.*))$`)
	rawKey    = regexp.MustCompile(`^(from|subject|rfc822msgid):"?([^"]*)"?$`)
)

// gmail turns a command for Gmail into one for Dovecot.
func (k *masking) gmail(tag, command string) string {
	if strings.Contains(command, "FETCH") && strings.Contains(command, "X-GM-LABELS") {
		k.mu.Lock()
		k.labels = tag
		k.mu.Unlock()
		return strings.ReplaceAll(command, " X-GM-LABELS", "")
	}
	found := rawSearch.FindStringSubmatch(command)
	if found == nil {
		return command
	}
	query := found[2]
	if query == "" {
		query = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(found[1])
	}
	key := "TEXT"
	if special := rawKey.FindStringSubmatch(query); special != nil {
		key, query = strings.ToUpper(special[1]), special[2]
		if key == "RFC822MSGID" {
			key = "HEADER Message-ID"
		}
	}
	return strings.TrimSuffix(command, found[0]) + fmt.Sprintf("%s {%d+}\r\n%s", key, len(query), query)
}
