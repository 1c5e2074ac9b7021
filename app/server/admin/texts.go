package admin

import (
	"fmt"
	"strings"
	"time"
)

// Every word that an admin reads stands in this file, in English. Templates name texts by key; a
// test holds both sides to each other.

// message says what happened, what it means, and what to do next. "{what}" stands for an id.
type message struct{ Title, Body, Next string }

// about is the message with an id in it.
func (m message) about(what string) *message {
	fill := strings.NewReplacer("{what}", what)
	return &message{fill.Replace(m.Title), fill.Replace(m.Body), fill.Replace(m.Next)}
}

var messages = map[string]message{
	// Before a sign-in.
	"sign-in":         {"Please sign in", "This page is for the admins of a company that uses Hawser, and nobody is signed in here.", "Open the sign-in link that the operator of this server gave you."},
	"expired":         {"Your session has ended", "You were signed in for eight hours, or did nothing here for half an hour. Nothing that you had confirmed is lost.", "Sign in again to go on."},
	"signed-out":      {"You have signed out", "This session was ended, here or in another window, and shows nothing more.", "Sign in again to go on."},
	"bye":             {"You have signed out", "All your sessions of this page are over, in other browsers too. You may still be signed in to Salesforce.", "Close this tab, or sign in again."},
	"no-admin":        {"You are no longer an admin here", "The operator of this server has closed this page to you, or to your company. Nothing you did before is undone.", "If that is a mistake, ask the operator of this server."},
	"stranger":        {"You are not an admin of this page", "Salesforce has confirmed who you are, but this user is not on the list of your company's admins. Nothing was shown, and the attempt stands in the audit log.", "If you should be on the list, send the operator of this server your Salesforce user id: {what}"},
	"sign-in-old":     {"This sign-in has ended", "It took longer than ten minutes, or was begun in another browser. Nobody is signed in here.", "Begin the sign-in again."},
	"sign-in-other":   {"This is the answer to another sign-in", "It was perhaps begun in a second tab. To keep somebody else from signing you in as them, it does not count.", "Close the other tabs and begin the sign-in again."},
	"sign-in-refused": {"Salesforce did not sign you in", "It was stopped there, or you chose Deny. Nobody is signed in here.", "Begin again and choose Allow. If Salesforce shows an error, show it to your Salesforce administrator."},
	"sign-in-failed":  {"The sign-in could not be confirmed", "What Salesforce sent does not prove who you are to this server. Nobody is signed in here.", "Begin again. If it stays, ask the operator of this server to compare the app's client id and callback with the help page."},
	"site-down":       {"Salesforce does not answer", "This server could not reach your company's Salesforce site. Nobody is signed in here, and nothing has changed.", "Wait a minute and begin again."},

	// Refusals.
	"not-found":    {"There is nothing here", "The address is mistyped, or what it names does not exist for you. Nothing has changed.", "Go back to the list and look from there."},
	"too-many":     {"Too many requests", "This server was asked more often than it answers from here. Nothing has changed.", "Wait half a minute, then load the page again."},
	"cross-origin": {"This form came from another site", "Another web site tried to act in your name, so nothing was done.", "Close that other site. To do it yourself, begin on this page."},
	"old-form":     {"This form is too old", "It was made before you signed in, or is incomplete, so nothing was done.", "Go back, load the page again and repeat what you wanted to do."},
	"repeated":     {"This was done already", "The form was sent a second time, and the second time did nothing. What was shown once is not shown again.", "If you did not note it, make another one."},
	"state":        {"This user was deprovisioned", "Their computers were told to delete everything, which cannot be taken back, so nothing was done.", "To enable the person again, have your company's server provision them once more."},
	"two-keys":     {"Two keys live already", "There are never more than two of a kind, so no third one was made, and both go on.", "End the key that nobody uses any more, then try again."},
	"internal":     {"That did not work", "Something went wrong on this server. Either all of what you asked for was done or nothing.", "Look whether it was done, and try again. If it stays, tell the operator of this server; the log says more."},

	// What was done.
	"done-suspend":     {"{what} is suspended.", "Within a minute their computers stop. They keep what they have and send nothing.", "Resume them at any time."},
	"done-resume":      {"{what} is active again.", "Within a minute their computers go on where they stopped.", "Nothing else is needed."},
	"done-deprovision": {"{what} is deprovisioned.", "At their next contact, their computers sign out, delete everything and report it.", "Look below until the last computer has reported."},
	"done-end":         {"The end of key {what} is set.", "From then on, whoever uses it is refused.", "Make sure that nothing uses it any more."},
}

var words = map[string]string{
	"skip": "Skip to content", "nav": "Parts of this page", "users": "Users", "keys": "Keys", "audit": "Audit log",
	"sign-out": "Sign out", "sign-in": "Sign in again", "brand": "Hawser", "brand.page": "Admin", "scope.all": "Whole company", "scope.group": "Group %s",
	"footer": "Signed in as Salesforce user %s. This page shows what computers report of themselves. It never sees a mail or a token.",
	"cancel": "Cancel", "to-users": "Go to the users", "older": "Older", "next": "Next page", "first": "First page", "newest": "Newest",
	"at": "%s", "none": "None", "never": "Never", "now": "Just now",

	"sign-in.heading": "Sign in to Hawser Admin", "sign-in.what": "Admins sign in with their Salesforce account. You will enter your password at Salesforce, not here.",
	"sign-in.at": "Sign in at %s", "sign-in.what-then": "This page asks Salesforce for one thing: who you are.",

	"users.heading": "Users", "users.search": "Search", "users.search.help": "The beginning of an id or of a mailbox address.", "users.search.go": "Search",
	"users.clear": "Show everybody", "users.summary": "In numbers", "users.caption": "Users and what their computers report",
	"users.of-group": "Only group %s", "users.found": "Beginning with “%s”", "users.no-computer": "No computer",
	"sum.active": "Active", "sum.suspended": "Suspended", "sum.gone": "Deprovisioned", "sum.devices": "Computers", "sum.reporting": "%d in contact since yesterday",
	"sum.waiting": "Mails waiting", "sum.needs": "Need their user",
	"col.user": "User", "col.group": "Group", "col.state": "State", "col.version": "Version", "col.seen": "Last contact", "col.waiting": "Waiting",
	"col.needs": "Needs user", "col.problem": "Problem", "col.computer": "Computer", "col.captured": "Saved",
	"empty.users":      "No users yet",
	"empty.users.what": "People appear here once your company enables them. Your own server does that with a key (see Keys), or the operator of this server imports a list with hawserd user import.",
	"empty.users.then": "Each of them then needs a one-time code, which you make on their page, or the installer's deployment key.",
	"empty.found":      "Nobody begins like that", "empty.found.what": "The search looks at the beginning of ids, in capitals and small letters as they are, and at the beginning of mailbox addresses.",
	"empty.page": "There are no more users.",

	"user.about": "About this user", "user.mailbox": "Mailbox", "user.aliases": "Further addresses", "user.group": "Group", "user.account": "Salesforce user",
	"user.state": "State", "user.since": "since %s, by %s", "user.bound": "Registered", "user.bound.yes": "Yes: mailbox and account are tied to each other", "user.bound.no": "Not yet",
	"user.computers": "Computers", "user.computers.caption": "Computers of %s", "user.actions": "What you can do",
	"empty.computers": "No computer yet", "empty.computers.what": "A computer appears here when its user enters a one-time code in Hawser, or when the installer's key registers it.",
	"empty.computers.then": "Make a one-time code and give it to the user. It holds for 15 minutes.",
	"user.gone":            "Nothing more can be done here. To enable the person again, have your company's server provision them once more.",
	"do.code":              "Make a one-time code", "do.suspend": "Suspend", "do.resume": "Resume", "do.deprovision": "Deprovision",
	"about.code": "To register a computer.", "about.suspend": "Their computers stop and keep what they have.", "about.resume": "Their computers go on where they stopped.",
	"about.deprovision": "Their computers sign out and delete everything.",

	"ask.code.heading": "Make a one-time code for %s?", "ask.code.what": "Whoever has the code registers one computer for this user, within 15 minutes, after signing in as them. An earlier code that was not used ends now.",
	"ask.code.yes": "Make the code", "ask.suspend.heading": "Suspend %s?",
	"ask.suspend.what": "Within a minute their computers stop capturing and sending. Nothing is deleted: what waits goes on waiting until you resume them.", "ask.suspend.yes": "Suspend",
	"ask.resume.heading": "Resume %s?", "ask.resume.what": "Within a minute their computers go on where they stopped.", "ask.resume.yes": "Resume",
	"ask.deprovision.heading": "Deprovision %s?",
	"ask.deprovision.what":    "At their next contact, all computers of this user sign out, delete everything that Hawser keeps there, and report it. The mailbox and Salesforce are not touched. This cannot be taken back.",
	"ask.deprovision.lose":    "Mails that wait on these computers now: %d. They are deleted without being saved to Salesforce, and stay in the mailbox.",
	"ask.deprovision.yes":     "Deprovision",

	"code.heading": "One-time code for %s", "code.label": "The code, where Hawser knows this server", "code.link": "The same as a link, where it does not", "code.once": "It is shown this once and not kept. It ends at %s, or when it is used.",
	"code.next": "Give it to the user in person, by telephone or in a safe chat. They type “hawser enrol”, paste it, and sign in with their own account. Not arrived in time? Make another one.",
	"code.done": "Back to %s",

	"keys.heading": "Keys", "keys.what": "With a key, your company's server and its installers talk to this server. Two of a kind may live at the same time, so that a key can be changed without a gap.",
	"keys.caption": "Keys of your company", "col.key": "Key", "col.kind": "For", "col.made": "Made", "col.ends": "Ends", "col.actions": "Change",
	"kind.tenant": "Company server", "kind.deployment": "Installer", "key.no-end": "No end set", "key.ended": "Ended %s", "key.ends": "Ends %s",
	"do.rotate": "Replace", "do.end": "End", "do.rotate.label": "Replace key %s", "do.end.label": "End key %s",
	"empty.keys": "No keys yet", "empty.keys.what": "The first key is made by the operator of this server, who runs hawserd key add and hands it to whoever looks after your company's server.",
	"empty.keys.then":    "From then on you can replace it here.",
	"ask.rotate.heading": "Replace a key?", "ask.rotate.what": "A second key is made, which may do the same. Put it where the old one is used; both work until the old one ends.", "ask.rotate.yes": "Make the new key",
	"ask.rotate.when": "The old key ends", "ask.end.heading": "End a key?", "ask.end.what": "Whoever still uses it then is refused. An end that was set already stays when it is earlier.", "ask.end.yes": "End the key", "ask.end.when": "It ends",
	"ask.end.only": "It is the only key of its kind. When it ends, your company's server or its installers are cut off until the operator makes another one.",
	"ask.key":      "Key", "when.now": "now", "when.day": "in a day", "when.week": "in a week", "when.month": "in 30 days",
	"key.heading": "The new key", "key.label": "The new key", "key.once": "It is shown this once and not kept. The old key, %s, ends at %s.",
	"key.next": "Copy it into your company's server or installer now, where nobody else reads it. Lost it? End the new key in the list, and replace the old one again.",
	"key.done": "Back to the keys",

	"audit.heading": "Audit log", "audit.what": "Who did what, newest first. The server only ever adds to it.", "audit.caption": "Events",
	"col.when": "When", "col.who": "Who", "col.what": "What", "col.subject": "To what", "col.detail": "Detail",
	"empty.audit": "Nothing has happened yet", "empty.audit.what": "Every change of a user, a key or a policy, every registration and every sign-in to this page appears here.",

	"state.active": "Active", "state.suspended": "Suspended", "state.deprovisioned": "Deprovisioned", "device.active": "Registered", "device.wiping": "Deleting",
	"class.retry": "Passes by itself", "class.user": "Needs the user", "class.admin": "Needs an admin", "class.bug": "Report it",
}

// actions says in words what the audit log's actions are.
var actions = map[string]string{
	"tenant.create": "Company added", "tenant.set": "Company changed", "tenant.suspend": "Company suspended", "tenant.resume": "Company resumed",
	"key.add": "Key made", "key.end": "End of a key set", "code.issue": "One-time code made", "policy.put": "Policy set",
	"user.put": "User enabled or changed", "user.suspend": "User suspended", "user.resume": "User resumed", "user.deprovision": "User deprovisioned",
	"device.register": "Computer registered", "device.leave": "Computer unregistered by its user", "device.wiped": "Computer deleted everything",
	"admin.put": "Admin added or changed", "admin.delete": "Admin removed", "admin.signin": "Admin signed in", "admin.signout": "Admin signed out", "admin.refuse": "Sign-in refused: not an admin",
}

// actionWords falls back to the action itself, so that no event is hidden by a missing word.
func actionWords(action string) string {
	if text, ok := actions[action]; ok {
		return text
	}
	return action
}

// whoWords says who acted.
func whoWords(actor string) string {
	kind, id, ok := strings.Cut(actor, ":")
	switch {
	case ok && kind == "admin":
		return "Admin " + id
	case ok && kind == "stranger":
		return "Salesforce user " + id
	case actor == "operator":
		return "Operator of the server"
	case strings.HasPrefix(actor, "d_"):
		return "Computer " + actor
	case strings.HasPrefix(actor, "c_"):
		return "One-time code " + actor
	}
	return "Key " + actor
}

// say returns a text; a missing one shows its key, which a test forbids.
func say(key string, args ...any) string {
	text, ok := words[key]
	if !ok {
		return key
	}
	for i, a := range args {
		if at, isTime := a.(time.Time); isTime {
			args[i] = date(at)
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

func date(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// ago says how long ago something was, for people.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return say("never")
	case d < time.Minute:
		return say("now")
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}
