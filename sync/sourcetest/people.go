package sourcetest

// Person is somebody whom the pretend org should know, so that the demo's mails find records.
type Person struct {
	Name    string
	Email   string
	Type    string // "Contact", "Lead" or "User"
	Account string // company of a Contact or Lead
}

// DemoPeople returns the contacts, leads and users that write and receive the demo's mails.
// A few senders are left out on purpose: a newsletter, a friend and a mailer daemon.
func DemoPeople() []Person {
	return []Person{
		lena,
		{"Max Vogel", "max.vogel@nordwind.example", "User", ""},
		joerg, claire, ken, layla, eleni, ivan, sam, priya,
		tom, nora, zoe,
	}
}

var (
	lena   = Person{"Lena Brandt", DemoUser, "User", ""}
	joerg  = Person{"Jörg Meyer", "joerg.meyer@acme-werft.example", "Contact", "Acme Werft GmbH"}
	claire = Person{"Claire Dubois", "claire.dubois@acme-marine.example", "Contact", "Acme Marine SARL"}
	ken    = Person{"田中 健", "ken.tanaka@acme-nippon.example", "Contact", "Acme Nippon 株式会社"}
	layla  = Person{"ليلى حداد", "layla.haddad@acme-gulf.example", "Contact", "Acme Gulf"}
	eleni  = Person{"Ελένη Παπαδοπούλου", "eleni.papadopoulou@acme-hellas.example", "Contact", "Acme Hellas"}
	ivan   = Person{"Иван Петров", "ivan.petrov@acme-baltic.example", "Contact", "Acme Baltic"}
	sam    = Person{"Sam O'Neil", "sam.oneil@acme-ports.example", "Contact", "Acme Ports Ltd"}
	priya  = Person{"Priya Raman", "priya.raman@acme-ports.example", "Contact", "Acme Ports Ltd"}
	tom    = Person{"Tom Becker", "tom.becker@hafenlogistik.example", "Lead", "Hafenlogistik Becker"}
	nora   = Person{"Nora Lind", "nora.lind@sundferry.example", "Lead", "Sund Ferry AB"}
	zoe    = Person{"Zoé Martin", "zoe.martin@voilier.example", "Lead", "Atelier Voilier"}
)
