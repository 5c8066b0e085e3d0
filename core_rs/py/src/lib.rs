//! `perdure._core._native`: the one place where Python meets the engine. Each module registers its
//! own classes and functions; nothing here decides anything.

use pyo3::prelude::*;

mod clock;
mod convert;
mod current;
mod engine;
mod errors;
mod event_loop;
mod failure;
mod fields;
mod guard;
mod hold;
mod instance;
mod payload_codec;
mod priority;
mod search;
mod substitute;

#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    current::register(module)?;
    event_loop::register(module)?;
    clock::register(module)?;
    convert::register(module)?;
    engine::register(module)?;
    failure::register(module)?;
    substitute::register(module)?;
    guard::register(module)?;
    hold::register(module)?;
    instance::register(module)
}
