package fault

// The codes, by the part of the world that is at fault.
const (
	// The network.
	Offline          Code = "offline"           // no connection at all, or DNS fails
	ServerError      Code = "server-error"      // 5xx, 420, maintenance pages, half answers
	NotTheServer     Code = "not-the-server"    // HTML or a redirect where the protocol was expected: a captive portal or proxy
	CertificateWrong Code = "certificate-wrong" // TLS trust or name
	TooManyRequests  Code = "too-many-requests"
	Stalled          Code = "stalled" // no byte within the time allowed

	// Sign-in, both sides.
	SignInCancelled  Code = "sign-in-cancelled"
	SignInTimeout    Code = "sign-in-timeout"   // nobody came back from the browser in five minutes
	SignInOutdated   Code = "sign-in-outdated"  // an older browser tab, a foreign state
	ConsentRefused   Code = "consent-refused"   // the person pressed Deny
	ConsentByAdmin   Code = "consent-by-admin"  // an administrator has to approve the app first
	CodeExpired      Code = "code-expired"      // the authorization code is too old or was used
	AppUnknown       Code = "app-unknown"       // client id wrong, deleted, or of another org
	AppBlocked       Code = "app-blocked"       // blocked or not installed in the org
	RedirectMismatch Code = "redirect-mismatch" // callback URL not registered
	ScopeMissing     Code = "scope-missing"     // a needed permission was not granted
	UserInactive     Code = "user-inactive"     // deactivated, frozen, or the org is locked
	LoginRestricted  Code = "login-restricted"  // IP range or login hours
	TokenRevoked     Code = "token-revoked"     // the refresh token is no longer accepted
	NotSignedIn      Code = "not-signed-in"
	NotSetUp         Code = "not-set-up"    // there are no settings that say where to sign in
	WrongAccount     Code = "wrong-account" // another account than the bound one signed in
	BrowserMissing   Code = "browser-missing"
	PortsBusy        Code = "ports-busy"      // every registered callback port is taken
	SiteRefused      Code = "site-refused"    // the address is not one Hawser may talk to
	SignInRefused    Code = "sign-in-refused" // any other refusal of the provider

	// The mailbox.
	MailRefused    Code = "mail-refused"  // IMAP login refused with a fresh token
	MailBusy       Code = "mail-busy"     // BYE, [UNAVAILABLE], [LIMIT], too many connections
	MailProtocol   Code = "mail-protocol" // the server's answer made no sense
	FolderMissing  Code = "folder-missing"
	MailGone       Code = "mail-gone"       // deleted or moved before it could be read
	MailTooLarge   Code = "mail-too-large"  // over the size Hawser carries
	MailUnreadable Code = "mail-unreadable" // no reading of it was possible
	// MailboxReadOnly: a folder does not keep the keyword that marks saved mails.
	MailboxReadOnly Code = "mailbox-read-only"

	// A mail that a person decides about.
	Unmatched      Code = "unmatched"       // no contact or lead carries one of its addresses
	BlockedAddress Code = "blocked-address" // somebody in a followed thread is on a block list
	MarkedPrivate  Code = "marked-private"  // by its sender: Sensitivity
	SensitiveWord  Code = "sensitive-word"  // in the subject or the text
	SensitiveLabel Code = "sensitive-label" // set in the mailbox
	ChoosePerson   Code = "choose-person"   // several records carry one address
	ChooseRelated  Code = "choose-related"  // several open opportunities or cases fit
	ChooseFiles    Code = "choose-files"    // whether attachments are saved is asked each time

	// Salesforce.
	APIDisabled       Code = "api-disabled"       // "API Enabled" or the app's API scope is missing
	LimitReached      Code = "limit-reached"      // the org's daily calls are used up
	BudgetSpent       Code = "budget-spent"       // our own daily budget is used up
	OrgReadOnly       Code = "org-read-only"      // maintenance
	RecordLocked      Code = "record-locked"      // UNABLE_TO_LOCK_ROW
	NothingSavable    Code = "nothing-savable"    // neither EmailMessage nor Task may be created
	EmailRefused      Code = "email-refused"      // EmailMessage refused to this user: Task is next
	ReferenceRefused  Code = "reference-refused"  // a linked record is not visible or gone
	PermissionMissing Code = "permission-missing" // create or field access
	ValidationFailed  Code = "validation-failed"  // the org's own rule, trigger or flow refused it
	RequiredField     Code = "required-field"     // the org demands a field Hawser does not know
	TextTooLong       Code = "text-too-long"
	AlreadySaved      Code = "already-saved" // the unique key exists: a success in disguise
	OthersRecord      Code = "others-record" // a colleague saved it: it is not the user's to remove
	StorageFull       Code = "storage-full"
	FileRefused       Code = "file-refused"
	SalesforceRefused Code = "salesforce-refused" // any other refusal

	// The company's server.
	NotProvisioned  Code = "not-provisioned"  // the company has not enabled this user yet
	EnrolRefused    Code = "enrol-refused"    // the pasted code or link counts for nothing
	EnrolSpent      Code = "enrol-spent"      // the code was used or is too old
	AlreadyEnrolled Code = "already-enrolled" // this computer is registered: unbind first
	AccountTaken    Code = "account-taken"    // the account or the mailbox is registered to somebody else
	OtherMailbox    Code = "other-mailbox"    // not the one the company provisioned
	OtherAccount    Code = "other-account"    // not the one the code is for
	MailboxUnproven Code = "mailbox-unproven" // nobody vouches that the mailbox is the user's
	IdentityRefused Code = "identity-refused" // the sign-in proves nothing to the company's server
	IdentityStale   Code = "identity-stale"   // the sign-in is too old to prove anything
	KeyRefused      Code = "key-refused"      // the server no longer knows this computer
	Removed         Code = "removed"          // the company ended the use on this computer
	PolicyRefused   Code = "policy-refused"   // unsigned, foreign, older, or expired
	PolicyExpired   Code = "policy-expired"   // the one in force, and no newer one came
	PolicyIgnored   Code = "policy-ignored"   // one setting of it means nothing to this program

	// This computer.
	DiskFull        Code = "disk-full"
	QueueLocked     Code = "queue-locked" // another process holds the database
	QueueDamaged    Code = "queue-damaged"
	QueueNewer      Code = "queue-newer" // written by a newer Hawser
	KeyStoreLocked  Code = "key-store-locked"
	KeyStoreMissing Code = "key-store-missing"
	KeyLost         Code = "key-lost"
	ConfigInvalid   Code = "config-invalid"
	NoTray          Code = "no-tray" // the desktop has no place for an icon
	AlreadyRunning  Code = "already-running"
	NotRunning      Code = "not-running"
	Paused          Code = "paused"    // what was asked for is not done while the user has paused Hawser
	NotFound        Code = "not-found" // the item named on the command line does not exist
	Usage           Code = "usage"
	Locked          Code = "locked"         // the company decides this
	WindowMissing   Code = "window-missing" // the program of the window is not here, or there is no desktop
	Internal        Code = "internal"
)

var classes = map[Code]Class{
	Offline: Retry, ServerError: Retry, NotTheServer: Retry, CertificateWrong: User, TooManyRequests: Retry, Stalled: Retry,

	SignInCancelled: User, SignInTimeout: User, SignInOutdated: User, ConsentRefused: User, ConsentByAdmin: Admin,
	CodeExpired: User, AppUnknown: Admin, AppBlocked: Admin, RedirectMismatch: Admin, ScopeMissing: Admin,
	UserInactive: Admin, LoginRestricted: Retry, TokenRevoked: User, NotSignedIn: User, NotSetUp: Admin, WrongAccount: User,
	BrowserMissing: User, PortsBusy: User, SiteRefused: User, SignInRefused: User,

	MailRefused: User, MailBusy: Retry, MailProtocol: Retry, FolderMissing: User, MailGone: User,
	MailTooLarge: User, MailUnreadable: User, MailboxReadOnly: User,

	Unmatched: User, BlockedAddress: User, MarkedPrivate: User, SensitiveWord: User, SensitiveLabel: User,
	ChoosePerson: User, ChooseRelated: User, ChooseFiles: User,

	APIDisabled: Admin, LimitReached: Retry, BudgetSpent: Retry, OrgReadOnly: Retry, RecordLocked: Retry,
	NothingSavable: Admin, EmailRefused: Retry, ReferenceRefused: Retry, PermissionMissing: Admin,
	ValidationFailed: User, RequiredField: Admin, TextTooLong: Bug, AlreadySaved: Retry, OthersRecord: User, StorageFull: Admin,
	FileRefused: User, SalesforceRefused: User,

	NotProvisioned: Retry, EnrolRefused: User, EnrolSpent: User, AlreadyEnrolled: User, AccountTaken: Admin, OtherMailbox: User,
	OtherAccount: User, MailboxUnproven: Admin, IdentityRefused: Admin, IdentityStale: User, KeyRefused: Admin, Removed: Admin,
	PolicyRefused: Admin, PolicyExpired: Admin, PolicyIgnored: Admin,

	DiskFull: User, QueueLocked: Retry, QueueDamaged: User, QueueNewer: User, KeyStoreLocked: User,
	KeyStoreMissing: User, KeyLost: User, NoTray: User, ConfigInvalid: User, AlreadyRunning: User, NotRunning: User,
	Paused: User, NotFound: User, Usage: User, Locked: Admin, WindowMissing: User, Internal: Bug,
}

// Codes returns every code with a class, for the tests that demand a text for each.
func Codes() []Code {
	all := make([]Code, 0, len(classes))
	for c := range classes {
		all = append(all, c)
	}
	return all
}
