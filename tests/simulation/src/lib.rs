//! The same engine under one seeded scheduler: it picks the next of deliver, drop, double, delay,
//! fire, crash, restart and clock step, over a store that keeps written and synced bytes apart.
//!
//! A seed is a story: the same seed gives the same one, whatever the machine.

pub mod campaign;
pub mod checkers;
pub mod clients;
pub mod coverage;
pub mod fail_points;
pub mod instance;
pub mod owners;
pub mod program;
pub mod random;
pub mod scheduler;
pub mod workers;
pub mod world;

pub use world::{Kept, Violation, World};
