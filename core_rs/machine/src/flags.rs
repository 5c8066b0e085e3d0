//! Behaviour flags: each changes how a history is replayed, so each batch names those in force.
//!
//! A flag is a bit number. Numbers are never reused: a flag that is no longer set by new turns
//! stays in the table, since old histories still bear it.
//!
//! | bit | name | since | meaning |
//! |---|---|---|---|
//! | – | – | – | none yet: format 1 is the behaviour without any flag |

/// The flags this machine knows.
pub const KNOWN: u64 = 0;

/// The flags that new turns bear.
pub const CURRENT: u64 = 0;

/// The flags in `flags` that this machine does not know; a history that bears one is refused, since
/// its turns were made by rules that this version does not have.
#[must_use]
pub const fn unknown(flags: u64) -> u64 {
    flags & !KNOWN
}
