//! Nothing is acknowledged that is not synced.

use std::collections::BTreeMap;

use perdure_engine::closing::last_closing;
use perdure_engine::{MessageBody, Reply};
use perdure_history::{Event, MessageId, RecordBody, RunId};
use perdure_store::{RunStatus, SimulatedStore, Store};

use super::broken;
use super::history::History;
use crate::clients::Wish;
use crate::world::Kept;

const LAW: &str = "nothing is acknowledged that is not synced";

/// The runs that an answer speaks of.
pub(super) fn runs(reply: &Reply, wish: &Wish) -> Vec<RunId> {
    let asked = match &wish.body {
        MessageBody::Signal { run, .. }
        | MessageBody::Update { run, .. }
        | MessageBody::Cancel { run, .. }
        | MessageBody::Terminate { run, .. } => Some(*run),
        _ => None,
    };
    let told = match reply {
        Reply::Started { run }
        | Reply::AlreadyStarted { run }
        | Reply::Closed { run, .. }
        | Reply::Result { run, .. } => Some(*run),
        _ => None,
    };
    asked.into_iter().chain(told).collect()
}

pub(super) fn check(
    wish: &Wish,
    reply: &Reply,
    histories: &BTreeMap<RunId, History>,
    store: &SimulatedStore,
) -> Kept {
    let holds = match (reply, &wish.body) {
        (Reply::Started { run }, MessageBody::Start(start)) => {
            status(*run, store).is_some()
                && start.update.as_ref().is_none_or(|update| {
                    is_closed(*run, store)
                        || waits(&update.id, store)
                        || (histories.get(run)).is_some_and(|history| records(history, &update.id))
                })
        }
        (Reply::Started { run } | Reply::AlreadyStarted { run }, _) => {
            status(*run, store).is_some()
        }
        (Reply::Closed { run, .. }, _) => is_closed(*run, store),
        (Reply::NotFound { run }, _) => {
            // One that was started since the question came may not be found either.
            if status(*run, store).is_none() || !wish.run_known {
                return Ok(());
            }
            return broken("what is stored is found", format!("run {run}"));
        }
        (Reply::Result { run, outcome, .. }, _) => {
            let history = histories.get(run);
            let closed = history.and_then(|history| last_closing(&history.records));
            is_closed(*run, store) && closed.is_some_and(|closed| closed.outcome == *outcome)
        }
        (
            Reply::Accepted,
            MessageBody::Signal { run, .. }
            | MessageBody::Cancel { run, .. }
            | MessageBody::Terminate { run, .. },
        ) => {
            let history = histories.get(run);
            history.is_some_and(|history| records(history, &wish.id)) || waits(&wish.id, store)
        }
        (Reply::Accepted | Reply::UpdateEnded { .. }, MessageBody::Update { run, .. }) => {
            let history = histories.get(run);
            history.is_some_and(|history| records(history, &wish.id))
        }
        _ => true,
    };
    if holds {
        Ok(())
    } else {
        broken(LAW, format!("{} was answered {reply:?}", wish.id.0))
    }
}

/// The message that an answer says is durable.
pub(super) fn message(wish: &Wish, reply: &Reply) -> Option<(RunId, MessageId)> {
    match (reply, &wish.body) {
        (
            Reply::Accepted,
            MessageBody::Signal { run, .. }
            | MessageBody::Cancel { run, .. }
            | MessageBody::Terminate { run, .. },
        ) => Some((*run, wish.id.clone())),
        (Reply::Accepted | Reply::UpdateEnded { .. }, MessageBody::Update { run, .. }) => {
            Some((*run, wish.id.clone()))
        }
        _ => None,
    }
}

/// What was acknowledged once is in the history or waits in the inbox, unless its run is closed.
pub(super) fn check_kept(
    run: RunId,
    id: &MessageId,
    histories: &BTreeMap<RunId, History>,
    store: &SimulatedStore,
) -> Kept {
    let recorded = histories
        .get(&run)
        .is_some_and(|history| records(history, id));
    if recorded || is_closed(run, store) || waits(id, store) {
        return Ok(());
    }
    broken(
        "what was acknowledged is not lost",
        format!("{} to run {run}", id.0),
    )
}

pub(super) fn status(run: RunId, store: &SimulatedStore) -> Option<RunStatus> {
    store
        .durable()
        .describe(run)
        .ok()
        .flatten()
        .map(|summary| summary.status)
}

fn is_closed(run: RunId, store: &SimulatedStore) -> bool {
    let is_open = |status| {
        matches!(
            status,
            RunStatus::Running | RunStatus::Parked | RunStatus::Paused
        )
    };
    status(run, store).is_some_and(|status| !is_open(status))
}

fn records(history: &History, id: &MessageId) -> bool {
    history.records.iter().any(|record| match &record.body {
        RecordBody::Event(
            Event::SignalReceived { message_id, .. }
            | Event::UpdateAccepted { message_id, .. }
            | Event::CancelRequested { message_id, .. }
            | Event::RunTerminated { message_id, .. },
        ) => message_id == id,
        _ => false,
    })
}

fn waits(id: &MessageId, store: &SimulatedStore) -> bool {
    let inbox = store.durable().inbox(None).unwrap_or_default();
    inbox.iter().any(|message| message.message_id == *id)
}
