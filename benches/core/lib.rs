//! The loads and the clock of the core benchmarks.

pub mod load;
pub mod measure;
