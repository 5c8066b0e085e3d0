//! A word that does not bear its task's nonce is never believed.

use perdure_history::{Event, RecordBody};

use super::broken;
use super::history::History;
use crate::instance::payload;
use crate::workers::FORGED;
use crate::world::Kept;

const LAW: &str = "a forged result is never recorded";

pub(super) fn check(history: &History, index: usize) -> Kept {
    match history
        .records
        .get(index)
        .map(|record| (record.n, &record.body))
    {
        Some((n, RecordBody::Event(Event::ActivityCompleted { result, .. })))
            if *result == payload(FORGED) =>
        {
            broken(LAW, format!("run {}: record {n}", history.run))
        }
        _ => Ok(()),
    }
}
