// Package engine decides what the agent does next and runs the capture of one mailbox.
//
// [Next] is pure: facts in, one state out. [Engine] is the one loop per account that carries it
// out: it asks the [Source] what is marked, and for what lies in the folders that automatic capture
// looks into; reads each mail's header, lets the rules decide, and hands the result with the
// cursor that passed it to the [Ledger] in one transaction. Of a mail that nobody marked and the
// rules leave out nothing but the header block is ever fetched. It opens no socket and knows no
// SQL. One goroutine owns the loop and a second one the source's watch; Run returns only after
// both have ended. [Engine.Survey], [Engine.Fetch] and [Engine.Take] may run beside it.
package engine
