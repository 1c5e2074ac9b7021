package salesforcetest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What a zero Org knows: one user and one public client app.
const (
	DefaultUsername = "ann@partners.example"
	DefaultPassword = "sesame"
	DefaultClientID = "hawser-sandbox"
)

// SitePath is the path of the one Experience Cloud site; TwinPath is the second path under which
// an LWR site serves its platform endpoints.
const (
	SitePath = "/partners"
	TwinPath = "/partnersvforcesite"
)

// Org is one pretend org. Its zero value holds one user, one app and no data.
type Org struct {
	BaseURL     string // scheme and port the Org is reached at; learned from each request when empty
	InstanceURL string // replaces http://127.0.0.1:PORT in answers
	SiteURL     string // replaces http://localhost:PORT/partners in answers

	External         bool          // users belong to the site: NetworkId is demanded, tokens name the community
	MailKey          bool          // Mail_Key__c, unique regardless of case, on EmailMessage and Task
	NoEnhancedEmail  bool          // EmailMessage and EmailMessageRelation do not exist
	RefuseEmail      bool          // describe says createable, inserting an EmailMessage is refused
	NoTask           bool          // Task cannot be created by the users
	NoFiles          bool          // ContentVersion cannot be created by the users
	SharedActivities bool          // TaskWhoIds exists
	KeepRefresh      bool          // refresh tokens are not rotated
	PrefixURLs       bool          // URLs in answers to site calls carry the site path
	DailyLimit       int           // API calls in 24 hours; 0 means 100,000
	MaxJSON          int64         // bytes of a body that is not multipart; 0 means 50 MB
	AccessTokenLife  time.Duration // 0 means 2 hours; does not slide

	// Private names objects whose records a site user sees only as their owner.
	Private []string
	// NoDelete names objects the users may not delete.
	NoDelete []string

	HideObjects    []string            // objects the users' profile does not see
	HideFields     map[string][]string // by object: fields the users' profile does not see
	ReadOnlyFields map[string][]string // by object: fields the users' profile sees and may not write

	Now func() time.Time // nil means time.Now

	// Validate is the org's validation rule: an error refuses the insert or update with
	// FIELD_CUSTOM_VALIDATION_EXCEPTION. It runs while the Org is locked.
	Validate func(object string, rec map[string]any) error
	// Trigger is the same for CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY.
	Trigger func(object string, rec map[string]any) error
	// Seen is shown the body of each REST call as it arrived, unpacked; parts of a multipart body
	// one after the other. It runs while the Org is locked.
	Seen func(body []byte)

	once sync.Once
	mu   sync.Mutex
	data store
	auth authState
	use  usage
	bad  chaos
	subs map[chan struct{}]struct{}
}

// User is a person who may sign in.
type User struct {
	ID       string // 18 characters; chosen by AddUser when empty
	Username string
	Password string // DefaultPassword when empty
	Name     string
	Email    string // Username when empty
	UserType string // as SOQL shows it; PowerPartner or Standard when empty
	Inactive bool
}

// App is a client application that is registered in the org.
type App struct {
	ClientID     string
	Name         string
	Callbacks    []string // compared verbatim
	Scopes       []string // api, refresh_token, id and openid when empty
	Secret       string   // demanded by the token endpoint unless empty
	PKCEOptional bool
}

// AddUser adds a user and the User record that goes with it, and returns it complete.
func (o *Org) AddUser(u User) User {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.addUserLocked(u)
}

func (o *Org) addUserLocked(u User) User {
	if u.Password == "" {
		u.Password = DefaultPassword
	}
	if u.Email == "" {
		u.Email = u.Username
	}
	if u.Name == "" {
		u.Name, _, _ = strings.Cut(u.Username, "@")
	}
	if u.UserType == "" {
		u.UserType = "Standard"
		if o.External {
			u.UserType = "PowerPartner"
		}
	}
	first, last, ok := strings.Cut(u.Name, " ")
	if !ok {
		first, last = "", u.Name
	}
	u.ID = o.mustInsertLocked("User", map[string]any{
		"Id": u.ID, "Username": u.Username, "Email": u.Email, "Name": u.Name, "FirstName": first,
		"LastName": last, "UserType": u.UserType, "IsActive": !u.Inactive,
		"TimeZoneSidKey": "Europe/Berlin", "LanguageLocaleKey": "en_US",
	})
	o.auth.users[key15(u.ID)] = &u
	return u
}

// AddApp registers a client application, or replaces the one of the same client id.
func (o *Org) AddApp(a App) {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addAppLocked(a)
}

func (o *Org) addAppLocked(a App) {
	if len(a.Scopes) == 0 {
		a.Scopes = []string{"api", "refresh_token", "id", "openid"}
	}
	if a.Name == "" {
		a.Name = a.ClientID
	}
	o.auth.apps[a.ClientID] = &a
}

// Insert adds a record as the system does: every field may be set, field security and the
// Validate hook do not apply, required fields and types do. It returns the 18-character id and panics when
// the object or a field does not exist, because then the test is wrong.
func (o *Org) Insert(object string, fields map[string]any) string {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mustInsertLocked(object, fields)
}

func (o *Org) mustInsertLocked(object string, fields map[string]any) string {
	t := o.data.table(object)
	if t == nil {
		panic(fmt.Sprintf("salesforcetest: object %q does not exist", object))
	}
	w := &writer{org: o, tx: &tx{}, system: true}
	id, err := w.insert(t, fields, nil)
	if err != nil {
		panic(fmt.Sprintf("salesforcetest: insert %s: %s %s", object, err.code, err.message))
	}
	o.changedLocked()
	return id
}

// Records returns copies of the object's records in the order of their creation, values as the
// API shows them. An object that does not exist has none.
func (o *Org) Records(object string) []map[string]any {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.data.table(object)
	if t == nil {
		return nil
	}
	out := make([]map[string]any, 0, len(t.rows))
	for _, r := range t.rows {
		if !r.deleted {
			out = append(out, r.copy())
		}
	}
	return out
}

// File returns the bytes of a ContentVersion; nil when there is none.
func (o *Org) File(contentVersionID string) []byte {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.data.find(contentVersionID)
	if r == nil {
		return nil
	}
	return append([]byte{}, r.blob...)
}

// AddContact adds a contact; accountID may be empty.
func (o *Org) AddContact(name, email, accountID string) string {
	first, last := splitName(name)
	return o.Insert("Contact", map[string]any{"FirstName": first, "LastName": last, "Email": email, "AccountId": accountID})
}

// AddLead adds an open lead.
func (o *Org) AddLead(name, email, company string) string {
	first, last := splitName(name)
	return o.Insert("Lead", map[string]any{"FirstName": first, "LastName": last, "Email": email, "Company": company})
}

// AddOpportunity adds an open opportunity of an account.
func (o *Org) AddOpportunity(name, accountID string) string {
	return o.Insert("Opportunity", map[string]any{"Name": name, "AccountId": accountID, "StageName": "Prospecting", "CloseDate": "2027-01-31"})
}

// AddCase adds an open case of a contact.
func (o *Org) AddCase(subject, contactID string) string {
	return o.Insert("Case", map[string]any{"Subject": subject, "ContactId": contactID})
}

// AddAccount adds an account.
func (o *Org) AddAccount(name, website string) string {
	return o.Insert("Account", map[string]any{"Name": name, "Website": website})
}

func splitName(name string) (first, last string) {
	if i := strings.LastIndexByte(name, ' '); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

func (o *Org) start() {
	o.once.Do(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.data.open(o)
		o.auth.open()
		o.use.open()
		o.subs = map[chan struct{}]struct{}{}
		o.mustInsertLocked("Organization", map[string]any{"Name": "Acme Partners"})
		o.mustInsertLocked("Network", map[string]any{"Name": "Partners", "UrlPathPrefix": strings.TrimPrefix(SitePath, "/")})
		for _, s := range []string{"Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred"} {
			o.mustInsertLocked("TaskStatus", map[string]any{"ApiName": s, "MasterLabel": s, "IsClosed": s == "Completed"})
		}
		o.addUserLocked(User{Username: DefaultUsername, Name: "Ann Partner"})
		callbacks := make([]string, 5)
		for i := range callbacks {
			callbacks[i] = fmt.Sprintf("http://localhost:%d/callback", 17171+i)
		}
		o.addAppLocked(App{ClientID: DefaultClientID, Name: "Hawser", Callbacks: callbacks})
	})
}

func (o *Org) now() time.Time {
	if o.Now != nil {
		return o.Now().UTC()
	}
	return time.Now().UTC()
}

// OrgID returns the org's 18-character id.
func (o *Org) OrgID() string { return o.firstID("Organization") }

// NetworkID returns the site's id: sfdc_community_id in token answers.
func (o *Org) NetworkID() string { return o.firstID("Network") }

func (o *Org) firstID(object string) string {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.firstIDLocked(object)
}

func (o *Org) firstIDLocked(object string) string { return o.data.table(object).rows[0].id }

// DefaultUser returns the user that every Org has.
func (o *Org) DefaultUser() User {
	o.start()
	o.mu.Lock()
	defer o.mu.Unlock()
	return *o.auth.byName(DefaultUsername)
}

// changedLocked tells the followers of the web page that something is new.
func (o *Org) changedLocked() {
	for c := range o.subs {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// hosts are the two addresses of the org as the asker of r sees them.
type hosts struct{ site, instance string }

func (o *Org) hostsLocked(r *http.Request) hosts {
	base := o.BaseURL
	if base == "" {
		base = "http://" + r.Host
		if r.TLS != nil {
			base = "https://" + r.Host
		}
	}
	scheme, host, _ := strings.Cut(base, "://")
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port = strings.TrimSuffix(host[i:], "/")
	}
	h := hosts{site: o.SiteURL, instance: o.InstanceURL}
	if h.site == "" {
		h.site = scheme + "://localhost" + port + SitePath
	}
	if h.instance == "" {
		h.instance = scheme + "://127.0.0.1" + port
	}
	if o.bad.instance != "" {
		h.instance = o.bad.instance
	}
	return h
}
