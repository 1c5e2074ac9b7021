// Package imapsource reads one mailbox over IMAP (RFC 3501, RFC 9051) with an OAuth token.
//
// Its job: list, page through and search folders, hand over the mails of a folder from a cursor on
// or those that carry a keyword, find a mail by its Message-ID, and say when a folder changed. Its
// border: it knows IMAP and nothing about what a mail means; header blocks and mails leave it as
// raw bytes, faults as [fault.Error]. Folders are opened with EXAMINE and bodies read with
// BODY.PEEK, so that nothing changes; [Source.MarkSaved], which nobody has to call, is the exception.
//
// The IMAP library trusts servers more than they deserve. Therefore every connection runs over
// a wire that removes answers the library would die of, keeps the server's last words, and
// closes itself when nothing comes; every FETCH is checked mail by mail, what is missing is asked
// for again alone, and a mail that breaks the connection is set aside so that the next one is
// not delayed. What the library does not know or would die of (Gmail's extension, BODYSTRUCTURE) is
// asked beside it, on the same wire.
//
// A server that limits what may be downloaded in a day, as Gmail does, is not driven to that limit:
// bodies wait before ([Config.DayBytes]).
//
// Concurrency: a [Source] is safe for concurrent use. Each call that reads uses a connection of
// its own (three at most, one is kept for a minute for the next call); [Source.Watch] uses one
// per folder. A [Sink] is only called from the goroutine that called Scan or Fetch. Every
// goroutine started here ends before the call that started it returns.
package imapsource
