package sourcetest

const sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// demoThreads returns the conversations of the demo mailbox.
func demoThreads() []thread { return append(openThreads(), doneThreads()...) }

// openThreads are those with work to do.
func openThreads() []thread {
	return []thread{
		{with: joerg, subject: "Angebot Festmacher Neubau 417", reply: "AW: ", days: 9, folder: "INBOX", captured: true, turns: []string{
			"Guten Tag Frau Brandt,\r\n\r\nfür den Neubau 417 brauchen wir acht Festmacher zu 220 m. Können Sie bis Freitag anbieten?\r\n\r\nMit freundlichen Grüßen\r\nJörg Meyer",
			"Guten Tag Herr Meyer,\r\n\r\ngern, das Angebot liegt bei. Die Lieferzeit beträgt sechs Wochen.",
			"Danke, das passt. Wir bestellen; die Zeichnung der Klampen schicke ich nach.\n\nJörg Meyer",
			"Vielen Dank für den Auftrag! Die Bestätigung folgt heute noch.",
		}, files: map[int]attachment{1: {"Angebot 417 – Größen.pdf", "application/pdf", pdf("Angebot 417: 8 x 220 m")}}},
		{with: claire, subject: "Livraison retardée au Havre", reply: "RE : ", days: 6, folder: "INBOX", captured: true, turns: []string{
			"Bonjour Lena,\r\n\r\nla livraison prévue mardi n'est pas arrivée. Où en est-elle ?\r\n\r\nBien à vous,\r\nClaire",
			"Bonjour Claire,\r\n\r\nle camion est bloqué à Anvers, il repart demain matin. Toutes mes excuses.",
			"Merci pour votre réponse rapide. L'équipe sera au quai n° 4.\n\nClaire",
			"C'est noté : quai n° 4, vers 9 h.",
		}},
		{with: sam, cc: []Person{priya}, subject: "Mooring lines for pier 7", reply: "Re: ", days: 5, folder: "INBOX", keyword: true, turns: []string{
			"Hi Lena,\r\n\r\nwe are refitting pier 7 and need a quote by length. Sizes are in the sheet.\r\n\r\nCheers,\r\nSam",
			"Hi Sam,\r\n\r\nthanks, quote attached. Volume discount starts at 2,000 m.",
			"Great, 2,400 m it is. Priya handles the order.\n\nSam",
			"Perfect. Priya, I will send you the forms today.",
			"Forms came through, signed copy tomorrow.\r\n\r\nSam",
		}, files: map[int]attachment{0: {"pier 7 sizes.xlsx", sheet, xlsx([][]string{{"berth", "metres"}, {"7a", "1200"}, {"7b", "1200"}})},
			1: {"quote-2231.pdf", "application/pdf", pdf("Quote 2231: 2400 m")}}},
		{with: layla, subject: "طلب عرض أسعار للحبال", reply: "رد: ", days: 4, folder: "INBOX", keyword: true, turns: []string{
			"مرحبا لينا،\r\n\r\nنحتاج إلى عرض أسعار لحبال الإرساء، ٣٠٠ متر.\r\n\r\nمع التحية\r\nليلى",
			"Dear Layla,\r\n\r\nthank you for asking. Our offer for 300 m follows by tomorrow noon.",
			"شكرا جزيلا!\n\nليلى",
		}},
		{with: eleni, subject: "Παραγγελία για τον Πειραιά", reply: "ΑΠ: ", days: 7, folder: "INBOX", turns: []string{
			"Καλημέρα Λένα,\r\n\r\nθέλουμε άλλα δέκα σχοινιά για τον Πειραιά.\r\n\r\nΕλένη",
			"Kalimera Eleni,\r\n\r\nten more, same length as in spring?",
			"Ναι, το ίδιο μήκος. Ευχαριστώ!\n\nΕλένη",
			"Booked. You get the papers this week.",
		}},
		{with: priya, cc: []Person{sam}, subject: "Signed order 2231", reply: "Re: ", days: 3, folder: "INBOX", keyword: true, turns: []string{
			"Hello Lena,\r\n\r\nthe signed order is attached, with the delivery address on page one.\r\n\r\nPriya",
			"Hello Priya,\r\n\r\nreceived, thank you! Production starts on Monday.",
		}, files: map[int]attachment{0: {"order 2231 signed.pdf", "application/pdf", pdf("Order 2231, signed")}}},
		{with: nora, subject: "Ferry moorings", reply: "SV: ", days: 11, folder: "INBOX", turns: []string{
			"Hej Lena,\r\n\r\nvi byter förtöjningar på två färjor i vår. Kan ni komma och mäta?\r\n\r\nNora",
			"Hej Nora,\r\n\r\nwe can be in Helsingborg in the second week of March.",
			"Perfekt, onsdag passar bäst. ⛴️\n\nNora",
			"Wednesday it is.",
		}},
		{with: joerg, subject: "Zeichnung Klampen", reply: "AW: ", days: 2, folder: "INBOX", turns: []string{
			"Guten Tag Frau Brandt,\r\n\r\nhier die Zeichnung der Klampen.\r\n\r\nJörg Meyer",
			"Danke, ist bei der Technik.",
			"Bitte auch an Herrn Vogel.\n\nJörg Meyer",
		}, files: map[int]attachment{0: {"Klampen.png", "image/png", picture(160)}}},
	}
}

// doneThreads lie in the archive.
func doneThreads() []thread {
	return []thread{
		{with: ivan, subject: "Документы на отгрузку", reply: "Re: ", days: 10, folder: "Archive", turns: []string{
			"Лена, добрый день!\r\n\r\nПришлите, пожалуйста, документы на отгрузку.\r\n\r\nИван",
			"Dear Ivan,\r\n\r\nhere are the shipping papers.",
			"Спасибо, всё получили.\n\nИван",
		}, files: map[int]attachment{1: {"документы.pdf", "application/pdf", pdf("Shipping papers")}}},
		{with: tom, subject: "Messebesuch in Hamburg", reply: "AW: ", days: 14, folder: "Archive", turns: []string{
			"Guten Tag,\r\n\r\nsind Sie auf der Messe? Ich würde gern Ihre neuen Leinen sehen.\r\n\r\nTom Becker",
			"Guten Tag Herr Becker,\r\n\r\nja, Halle B6, Stand 210. Ich freue mich!",
			"Bis dann!\n\nTom Becker",
		}},
		{with: zoe, subject: "Cordages pour un vieux gréement", reply: "RE : ", days: 31, folder: "Archive", turns: []string{
			"Bonjour,\r\n\r\nfaites-vous encore du chanvre ? C'est pour un voilier de 1911.\r\n\r\nZoé Martin",
			"Bonjour Zoé,\r\n\r\noui, sur commande. Auriez-vous une photo du gréement ?",
		}},
		{with: claire, subject: "Facture 8812", reply: "RE : ", days: 17, folder: "Archive", turns: []string{
			"Bonjour Lena,\r\n\r\nla facture 8812 mentionne 12 % de TVA, est-ce correct ?\r\n\r\nClaire",
			"Bonjour Claire,\r\n\r\nnon, c'est une erreur. Voici la facture corrigée.",
			"Merci !\n\nClaire",
		}, files: map[int]attachment{1: {"facture 8812.pdf", "application/pdf", pdf("Facture 8812")}}},
		{with: sam, subject: "Splicing course", reply: "Re: ", days: 20, folder: "Archive", turns: []string{
			"Hi Lena,\r\n\r\ndo you still run the splicing course in May? Two of ours would come.\r\n\r\nSam",
			"Hi Sam,\r\n\r\nwe do, 11 to 13 May. I keep two seats for you.",
			"Brilliant, thank you.\n\nSam",
		}},
		{with: ken, subject: "新しいロープの納期について", reply: "Re: ", days: 8, folder: "Archive", turns: []string{
			"レナ様\r\n\r\nお世話になっております。新しいロープの納期を教えてください。\r\n\r\n田中",
			"Dear Tanaka-san,\r\n\r\nthe ropes leave Hamburg on the 14th and reach Yokohama five weeks later.",
			"ありがとうございます。承知いたしました。\n\n田中",
		}},
	}
}
