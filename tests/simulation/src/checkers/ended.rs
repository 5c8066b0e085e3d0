//! After healing every run ends: its history closes it, as its last word.

use perdure_engine::closing::last_closing;
use perdure_history::RunId;

use super::broken;
use super::history::History;
use crate::world::Kept;

const LAW: &str = "after healing every run ends";

pub(super) fn check(run: RunId, history: Option<&History>) -> Kept {
    let records = history
        .map(|history| history.records.as_slice())
        .unwrap_or_default();
    let Some(last) = records.last() else {
        return broken(LAW, format!("run {run} was never started"));
    };
    if last_closing(std::slice::from_ref(last)).is_some() {
        return Ok(());
    }
    broken(
        LAW,
        format!("run {run} ends with record {}: {:?}", last.n, last.body),
    )
}
