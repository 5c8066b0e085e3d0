// Package payload carries values between languages without changing them.
//
// A value travels in one of two profiles, MessagePack and JSON, which mean the same; the mapping
// to Go types is in the README, the rules are in the bridge protocol. What cannot travel is
// refused with a *RefusedError that says why and where; nothing is rounded, cut or guessed.
package payload
