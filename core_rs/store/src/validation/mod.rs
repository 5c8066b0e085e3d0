//! The suite every store passes: one file a promise. Written against the trait alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "the suite is a test"
)]

pub mod atomicity;
pub mod fencing;
pub mod fixture;
pub mod inbox;
pub mod index;
pub mod large;
pub mod rates;
pub mod reading;
pub mod retention;
pub mod start;
pub mod visibility;

use crate::store::Store;

/// A kind of store under test.
pub trait Subject {
    /// The store.
    type Store: Store;

    /// An empty one.
    fn fresh(&mut self) -> Self::Store;

    /// The same store, closed and opened again as owner.
    fn reopen(&mut self, store: Self::Store) -> Self::Store;
}

/// Checks every promise.
pub fn check_all(subject: &mut impl Subject) {
    atomicity::check(subject);
    fencing::check(subject);
    inbox::check(subject);
    index::check(subject);
    large::check(subject);
    rates::check(subject);
    reading::check(subject);
    retention::check(subject);
    start::check(subject);
    visibility::check(subject);
}
