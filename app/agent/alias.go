package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"hawser/app/control"
	"hawser/auth/oauth"
	"hawser/auth/secret"
	"hawser/sync/fault"
	"hawser/sync/imapsource"
	"hawser/sync/mailparse"
)

const (
	// gmailAPI is where Gmail tells under which addresses somebody sends; the scope for IMAP suffices.
	gmailAPI = "https://gmail.googleapis.com/gmail/v1/users/me/settings/sendAs"
	// graphMe is where Microsoft tells the addresses of a mailbox. Every app registration has this
	// permission from the start; it is not asked for in the browser, as a directory that has not
	// consented to it would then refuse the whole sign-in.
	graphMe    = "https://graph.microsoft.com/v1.0/me?$select=mail,proxyAddresses"
	graphScope = "https://graph.microsoft.com/User.Read"
	// lookBack is how many sent mails are looked at for addresses of the user's own.
	lookBack = 200
	// maxProposed bounds the list, whatever a mailbox holds.
	maxProposed = 20
	// maxAnswer bounds what a provider answers, bytes.
	maxAnswer = 1 << 20
	// aliasTime is how long a look for addresses may take beside what a person waits for.
	aliasTime    = 20 * time.Second
	aliasSetting = "aliases"
)

// own returns the user's addresses: the mailbox's first, then the aliases in use. They decide which
// way a mail went, so it does no I/O.
func (a *Agent) own() []string {
	var addresses []string
	for _, al := range a.aliasList() {
		if al.On {
			addresses = append(addresses, al.Address)
		}
	}
	return addresses
}

// aliasList returns the mailbox's own address and what is known of others.
func (a *Agent) aliasList() []control.Alias {
	a.mu.Lock()
	defer a.mu.Unlock()
	primary := a.logins[sideMail].Address
	if a.binding != nil {
		primary = a.binding.mailbox.Address
	}
	var list []control.Alias
	if primary != "" {
		list = append(list, control.Alias{Address: primary, Primary: true, On: true, Source: control.FromSignIn})
	}
	for _, al := range a.aliases {
		if !strings.EqualFold(al.Address, primary) {
			list = append(list, al)
		}
	}
	return list
}

// Aliases implements control.Agent. It looks for new ones where the mailbox can be reached.
func (a *Agent) Aliases(ctx context.Context) ([]control.Alias, error) {
	if src, _, err := a.running(); err == nil {
		a.proposeFromSent(ctx, src)
	}
	return a.aliasList(), nil
}

// SetAlias implements control.Agent.
func (a *Agent) SetAlias(ctx context.Context, address string, on bool) error {
	const op = "set alias"
	used, at := 0, -1
	list := a.aliasList()
	for i, al := range list {
		if strings.EqualFold(al.Address, address) {
			at = i
		}
		if al.On {
			used++
		}
	}
	switch {
	case at < 0:
		return fault.New(fault.NotFound, op, nil)
	case list[at].On == on:
		return nil
	case list[at].Primary, on && used >= control.MaxAliases:
		return fault.New(fault.Usage, op, nil)
	}
	list[at].On = on
	return a.saveAliases(ctx, list[1:])
}

// saveAliases stores the list, which is sealed as every setting is, and then uses it.
func (a *Agent) saveAliases(ctx context.Context, list []control.Alias) error {
	raw, err := json.Marshal(list)
	if err == nil {
		err = a.db.SaveSetting(ctx, aliasSetting, string(raw))
	}
	if err != nil {
		return fmt.Errorf("store aliases: %w", err)
	}
	a.mu.Lock()
	a.aliases = list
	a.mu.Unlock()
	a.compile()
	return nil
}

// recallAliases takes up the list of the last run.
func (a *Agent) recallAliases(ctx context.Context) error {
	raw, found, err := a.db.Setting(ctx, aliasSetting)
	if err != nil || !found {
		return wrap("read aliases", err)
	}
	return wrap("read aliases", json.Unmarshal([]byte(raw), &a.aliases))
}

// learn adds addresses to the list. A person's earlier choice stays. Those that the provider vouches
// for are used as long as there is room; others are proposals.
func (a *Agent) learn(ctx context.Context, addresses []string, source string) error {
	list := a.aliasList()
	if len(list) == 0 {
		return nil
	}
	used := len(a.own())
	before := len(list)
	for _, addr := range addresses {
		known := slices.ContainsFunc(list, func(al control.Alias) bool { return strings.EqualFold(al.Address, addr) })
		if known || len(list) > maxProposed || !strings.Contains(addr, "@") {
			continue
		}
		on := source == control.FromProvider && used < control.MaxAliases
		if on {
			used++
		}
		list = append(list, control.Alias{Address: addr, On: on, Source: source})
	}
	if len(list) == before {
		return nil
	}
	return a.saveAliases(ctx, list[1:])
}

// foundAliases asks the provider of a mailbox that has just been signed in to, where it tells.
// Without an answer the mailbox's own address is used, and others are proposed from sent mail.
func (a *Agent) foundAliases(ctx context.Context, side string) {
	ask := map[oauth.Kind]func(context.Context, *http.Client, *oauth.Tokens) ([]string, error){
		oauth.Google: sendAs, oauth.Microsoft: proxyAddresses,
	}[mailProvider(a.settings().Mail).Kind]
	if side != sideMail || ask == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, aliasTime)
	defer cancel()
	tokens, _, err := a.tokensOf(ctx, sideMail)
	var addresses []string
	if err == nil {
		addresses, err = ask(ctx, a.http, tokens)
	}
	if err == nil {
		err = a.learn(ctx, addresses, control.FromProvider)
	}
	if err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "aliases not read", slog.Any("err", err))
	}
}

// sendAs returns the addresses that Gmail lets the user send as and has verified.
func sendAs(ctx context.Context, client *http.Client, tokens *oauth.Tokens) ([]string, error) {
	token, err := tokens.Token(ctx, secret.String{})
	if err != nil {
		return nil, err
	}
	var doc struct {
		SendAs []struct {
			Email    string `json:"sendAsEmail"`
			Primary  bool   `json:"isPrimary"`
			Verified string `json:"verificationStatus"`
		} `json:"sendAs"`
	}
	if err := readAnswer(ctx, client, gmailAPI, token, &doc); err != nil {
		return nil, err
	}
	var addresses []string
	for _, s := range doc.SendAs {
		if s.Primary || s.Verified == "accepted" {
			addresses = append(addresses, s.Email)
		}
	}
	return addresses, nil
}

// proxyAddresses returns the addresses at which Exchange takes mail for the user: the one that mail
// is sent under first, those that Microsoft itself made last.
func proxyAddresses(ctx context.Context, client *http.Client, tokens *oauth.Tokens) ([]string, error) {
	token, err := tokens.TokenFor(ctx, []string{graphScope}, secret.String{})
	if err != nil {
		return nil, err
	}
	var doc struct {
		Mail      string   `json:"mail"`
		Addresses []string `json:"proxyAddresses"` // "SMTP:" the first, "smtp:" others, "SIP:", "X500:", "SPO:" …
	}
	if err := readAnswer(ctx, client, graphMe, token, &doc); err != nil {
		return nil, err
	}
	addresses := []string{doc.Mail}
	for _, prefix := range []string{"SMTP:", "smtp:"} {
		for _, a := range doc.Addresses {
			if address, ok := strings.CutPrefix(a, prefix); ok {
				addresses = append(addresses, address)
			}
		}
	}
	made := func(address string) int {
		if strings.HasSuffix(strings.ToLower(address), ".onmicrosoft.com") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(addresses, func(x, y string) int { return made(x) - made(y) })
	return addresses, nil
}

// readAnswer reads a JSON answer with a token, which is sent nowhere else.
func readAnswer(ctx context.Context, client *http.Client, address string, token secret.String, doc any) error {
	const op = "read aliases"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fault.New(fault.Internal, op, err)
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := direct.Do(req)
	if err != nil {
		return fault.New(fault.Offline, op, errors.New("no answer"))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fault.New(fault.NotTheServer, op, fmt.Errorf("status %d", resp.StatusCode))
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(doc); err != nil {
		return fault.New(fault.NotTheServer, op, errors.New("unreadable"))
	}
	return nil
}

// proposeFromSent proposes the addresses under which the user has sent mail, the most used first.
func (a *Agent) proposeFromSent(ctx context.Context, src *imapsource.Source) {
	ctx, cancel := context.WithTimeout(ctx, aliasTime)
	defer cancel()
	addresses, err := sentFrom(ctx, src)
	if err == nil {
		err = a.learn(ctx, addresses, control.FromSent)
	}
	if err != nil {
		a.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "sent mail not looked at", slog.Any("err", err))
	}
}

func sentFrom(ctx context.Context, src *imapsource.Source) ([]string, error) {
	folders, err := src.Folders(ctx)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, f := range folders {
		if f.Role != "sent" {
			continue
		}
		items, err := src.List(ctx, f.Name, "", lookBack)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			h, err := mailparse.ReadHeader(item.Raw)
			if err == nil && len(h.From) == 1 {
				count[strings.ToLower(h.From[0].Addr)]++
			}
		}
	}
	addresses := make([]string, 0, len(count))
	for addr := range count {
		addresses = append(addresses, addr)
	}
	slices.SortFunc(addresses, func(x, y string) int { return cmp.Or(count[y]-count[x], strings.Compare(x, y)) })
	return addresses, nil
}
