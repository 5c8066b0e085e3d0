//! The branches that a run takes: asked of the machine once, then remembered.

use std::collections::BTreeMap;

use pyo3::prelude::*;

use super::InstanceCore;
use crate::event_loop::{GilCell, Scheduled, admit};

/// The answers so far, by patch: they hold for as long as the instance lives.
pub(super) struct Patches(GilCell<BTreeMap<String, bool>>);

impl Default for Patches {
    fn default() -> Self {
        Self(GilCell::new(BTreeMap::new()))
    }
}

/// Whether the run takes the new branch of patch `id`.
pub(super) fn ask(slf: &Bound<'_, InstanceCore>, id: &str, deprecated: bool) -> PyResult<bool> {
    let py = slf.py();
    let this = slf.get();
    if let Some(answer) = this.patches.0.with(py, |known| known.get(id).copied()) {
        return Ok(answer);
    }
    admit(this.event_loop(py)?.bind(py), Scheduled::Future)?;
    let site = InstanceCore::site(slf)?;
    let answer = this
        .with_machine(py, |machine| machine.ask_patch(id.into(), site, deprecated))?
        .map_err(|error| this.refuse(py, error))?;
    this.patches
        .0
        .with(py, |known| known.insert(id.to_owned(), answer));
    Ok(answer)
}
