// Package store remembers: it keeps the queryable projection of the stream of
// facts, and the trends.
//
// It promises that
//
//   - the stream is the truth and history.db only its projection: the facts of
//     a stream message, what is derived from them and the cursor are written in
//     one transaction, so that at any instant the file is what applying the
//     stream up to [Store.Cursor] makes of an empty one. Applying a message
//     again changes nothing; a file that is lost or corrupt is rebuilt;
//   - the audit can be added to and read, and the database refuses anything
//     else; its chain of hashes can be verified ([Store.VerifyAudit]);
//   - a fact whose effect lasts is never deleted, nor one of an operation that
//     is open ([Store.Retain]);
//   - a mean that was thinned is still the mean of its minutes, weighted by the
//     agents measured ([Store.Thin]).
//
// One goroutine at a time writes; any number read meanwhile, each query seeing
// one instant. DESIGN.md says why it is so.
package store
