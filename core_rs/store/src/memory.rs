//! The memory store: the oracle that every other store is compared with.
//!
//! It says each promise in the plainest way, with no thought for speed on large inboxes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp, Visibility};

use crate::append::{
    Append, AppendError, InboxMessage, IndexChange, NewRun, Outstanding, RateMark, RunStatus,
};
use crate::check;
use crate::filter::{Cursor, Search};
use crate::query::{DEFAULT_PAGE, RunFilter, RunSummary};
use crate::store::{Recovery, Store, StoreError};

/// A store that forgets everything when it is dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    epoch: u64,
    runs: BTreeMap<RunId, Run>,
    /// How many runs it has made.
    made: u64,
    inbox: Vec<InboxMessage>,
    /// Units and until when they count, by key and slice.
    rates: BTreeMap<(Arc<str>, Timestamp), (u64, Timestamp)>,
}

#[derive(Clone, Debug)]
struct Run {
    summary: RunSummary,
    started_by: MessageId,
    /// How many were made before it.
    made_after: u64,
    /// Each batch with the number of its last record.
    batches: Vec<(u64, Bytes)>,
    outstanding: BTreeMap<u64, Outstanding>,
    consumed: BTreeSet<MessageId>,
}

impl MemoryStore {
    /// An empty store, owned under epoch 1.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epoch: 1,
            ..Self::default()
        }
    }

    /// What another owner does when it takes the store over: older epochs are fenced from now on.
    #[must_use]
    pub fn reopened(mut self) -> Self {
        self.epoch += 1;
        self
    }

    fn append_one(&mut self, append: &Append) -> Result<(), AppendError> {
        check::well_formed(append)?;
        self.check_fence(append)?;
        match &append.create {
            Some(new) => self.check_create(append, new)?,
            None => self.check_existing(append)?,
        }
        if let Some(new) = &append.create {
            let run = new_run(append.run, new, self.made);
            self.runs.insert(append.run, run);
            self.made += 1;
            self.inbox
                .retain(|message| message.run.is_some() || message.message_id != new.message_id);
        }
        self.consume(append);
        if let Some(run) = self.runs.get_mut(&append.run) {
            run.apply(append);
        }
        for message in append.inbox.iter().chain(&append.outbox) {
            self.put(message);
        }
        self.mark(&append.rates);
        Ok(())
    }

    fn mark(&mut self, marks: &[RateMark]) {
        for mark in marks {
            let row = (Arc::clone(&mark.key), mark.slice);
            let Some(until) = mark.until else {
                self.rates.remove(&row);
                continue;
            };
            let (units, counts) = self.rates.entry(row).or_insert((mark.units, until));
            *units = mark.units.max(*units);
            *counts = until.max(*counts);
        }
    }

    fn check_fence(&self, append: &Append) -> Result<(), AppendError> {
        let found = self.runs.get(&append.run).map(|run| run.summary.last_n);
        // A repeated start must hear of its run, not of a fence.
        let start_known = append
            .create
            .as_ref()
            .is_some_and(|new| self.made_by(&new.message_id).is_some());
        let fits = match (&append.create, found) {
            (Some(_), None) => true,
            (Some(_), Some(_)) => start_known,
            (None, found) => found == Some(append.expected_n),
        };
        if fits && append.epoch == self.epoch {
            return Ok(());
        }
        Err(AppendError::Fenced {
            run: append.run,
            expected_n: append.expected_n,
            epoch: append.epoch,
            found_n: found.unwrap_or(0),
            found_epoch: self.epoch,
        })
    }

    fn check_create(&self, append: &Append, new: &NewRun) -> Result<(), AppendError> {
        if let Some(run) = self.made_by(&new.message_id) {
            return Err(AppendError::AlreadyStarted { run });
        }
        let same_id = self.runs.values().filter(|run| {
            run.summary.namespace == new.namespace && run.summary.workflow_id == new.workflow_id
        });
        let newest = same_id.max_by_key(|run| run.made_after);
        match newest.map(|run| &run.summary) {
            Some(newest) if check::is_open(newest.status) => Err(AppendError::AlreadyOpen {
                workflow_id: new.workflow_id.clone(),
                open_run: newest.run,
            }),
            Some(newest) if new.is_barred_by(newest.status) => Err(AppendError::IdUsed {
                workflow_id: new.workflow_id.clone(),
                last_run: newest.run,
            }),
            _ => self.check_consumed(append),
        }
    }

    fn check_existing(&self, append: &Append) -> Result<(), AppendError> {
        let closed = self
            .runs
            .get(&append.run)
            .is_some_and(|run| !check::is_open(run.summary.status));
        if closed && check::writes_content(append) {
            return Err(AppendError::Closed { run: append.run });
        }
        self.check_consumed(append)
    }

    fn check_consumed(&self, append: &Append) -> Result<(), AppendError> {
        let known = self.runs.get(&append.run).map(|run| &run.consumed);
        let again = append
            .consumed_message_ids
            .iter()
            .find(|id| append.batch.is_some() && known.is_some_and(|known| known.contains(*id)));
        match again {
            Some(id) => Err(AppendError::AlreadyConsumed {
                run: append.run,
                message_id: id.clone(),
            }),
            None => Ok(()),
        }
    }

    fn matching(&self, search: &Search) -> impl Iterator<Item = &RunSummary> {
        let summaries = self.runs.values().map(|run| &run.summary);
        summaries.filter(|summary| search.matches(summary))
    }

    fn made_by(&self, start: &MessageId) -> Option<RunId> {
        self.runs
            .values()
            .find(|run| run.started_by == *start)
            .map(|run| run.summary.run)
    }

    fn consume(&mut self, append: &Append) {
        let ids: BTreeSet<&MessageId> = append.consumed_message_ids.iter().collect();
        self.inbox.retain(|message| {
            message.run != Some(append.run) || !ids.contains(&message.message_id)
        });
    }

    /// Puts a message into the inbox unless its id is known.
    fn put(&mut self, message: &InboxMessage) -> bool {
        let waits = self
            .inbox
            .iter()
            .any(|other| (other.run, &other.message_id) == (message.run, &message.message_id));
        let consumed = match message.run {
            Some(run) => self
                .runs
                .get(&run)
                .is_some_and(|run| run.consumed.contains(&message.message_id)),
            None => self
                .runs
                .values()
                .any(|run| run.started_by == message.message_id),
        };
        if !waits && !consumed {
            self.inbox.push(message.clone());
        }
        !waits && !consumed
    }
}

fn new_run(run: RunId, new: &NewRun, made_after: u64) -> Run {
    Run {
        summary: RunSummary {
            run,
            namespace: new.namespace.clone(),
            workflow_id: new.workflow_id.clone(),
            workflow_type: new.workflow_type.clone(),
            task_queue: new.task_queue.clone(),
            status: RunStatus::Running,
            status_detail: Bytes::new(),
            started_at: new.started_at,
            closed_at: None,
            last_n: 0,
            visibility: Visibility::default(),
        },
        started_by: new.message_id.clone(),
        made_after,
        batches: Vec::new(),
        outstanding: BTreeMap::new(),
        consumed: BTreeSet::new(),
    }
}

impl Run {
    fn apply(&mut self, append: &Append) {
        if let Some(batch) = &append.batch {
            self.batches.push((append.last_n, batch.clone()));
            self.summary.last_n = append.last_n;
        }
        for change in &append.index_changes {
            match change {
                IndexChange::Put(outstanding) => {
                    self.outstanding
                        .insert(outstanding.command_n, outstanding.clone());
                }
                IndexChange::Remove { command_n } => {
                    self.outstanding.remove(command_n);
                }
            }
        }
        self.consumed
            .extend(append.consumed_message_ids.iter().cloned());
        self.summary.visibility.apply(&append.visibility);
        if let Some(change) = &append.status {
            self.summary.status = change.status;
            self.summary.status_detail = change.detail.clone();
        }
        if let Some(close) = append.close {
            self.summary.status = close.status;
            self.summary.status_detail = Bytes::new();
            self.summary.closed_at = Some(close.closed_at);
            self.outstanding.clear();
        }
    }
}

impl Store for MemoryStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn append(&mut self, group: &[Append]) -> Result<Vec<Result<(), AppendError>>, StoreError> {
        Ok(group.iter().map(|append| self.append_one(append)).collect())
    }

    fn read(&self, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError> {
        let batches = self
            .runs
            .get(&run)
            .map(|run| run.batches.as_slice())
            .unwrap_or_default();
        Ok(batches
            .iter()
            .filter(|(last_n, _)| *last_n >= from_n)
            .map(|(_, batch)| batch.clone())
            .collect())
    }

    fn recover(&self) -> Result<Recovery, StoreError> {
        let open = self
            .runs
            .values()
            .filter(|run| check::is_open(run.summary.status));
        Ok(Recovery {
            runs: open
                .map(|run| {
                    (
                        run.summary.clone(),
                        run.outstanding.values().cloned().collect(),
                    )
                })
                .collect(),
            inbox: self.inbox.clone(),
            rates: self
                .rates
                .iter()
                .map(|((key, slice), (units, until))| RateMark {
                    key: Arc::clone(key),
                    slice: *slice,
                    units: *units,
                    until: Some(*until),
                })
                .collect(),
        })
    }

    fn post(&mut self, message: &InboxMessage) -> Result<bool, StoreError> {
        Ok(self.put(message))
    }

    fn inbox(&self, after: Option<&MessageId>) -> Result<Vec<InboxMessage>, StoreError> {
        let position =
            after.and_then(|after| self.inbox.iter().position(|m| m.message_id == *after));
        Ok(self
            .inbox
            .iter()
            .skip(position.map_or(0, |at| at + 1))
            .cloned()
            .collect())
    }

    fn discard(&mut self, run: Option<RunId>, message_id: &MessageId) -> Result<bool, StoreError> {
        let before = self.inbox.len();
        self.inbox
            .retain(|message| (message.run, &message.message_id) != (run, message_id));
        Ok(self.inbox.len() < before)
    }

    fn started_by(&self, message_id: &MessageId) -> Result<Option<RunId>, StoreError> {
        Ok(self.made_by(message_id))
    }

    fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        Ok(self.runs.get(&run).map(|run| run.summary.clone()))
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let limit = if filter.limit == 0 {
            DEFAULT_PAGE
        } else {
            filter.limit
        };
        Ok(self
            .runs
            .values()
            .rev()
            .map(|run| &run.summary)
            .filter(|summary| filter.matches(summary))
            .take(limit)
            .cloned()
            .collect())
    }

    fn search(&self, search: &Search) -> Result<Vec<RunSummary>, StoreError> {
        let limit = if search.limit == 0 {
            DEFAULT_PAGE
        } else {
            search.limit
        };
        let mut found: Vec<&RunSummary> = self.matching(search).collect();
        let in_order = |one: &Cursor, other: &Cursor| {
            let ordering = one.key.cmp(&other.key).then(one.run.cmp(&other.run));
            if search.query.order.descending {
                ordering.reverse()
            } else {
                ordering
            }
        };
        found.sort_by(|one, other| in_order(&search.cursor(one), &search.cursor(other)));
        Ok(found
            .into_iter()
            .filter(|summary| {
                let after = search.after.as_ref();
                after.is_none_or(|after| in_order(after, &search.cursor(summary)).is_lt())
            })
            .take(limit)
            .cloned()
            .collect())
    }

    fn count(&self, search: &Search) -> Result<u64, StoreError> {
        Ok(self.matching(search).count() as u64)
    }

    fn retain(&mut self, closed_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut old: Vec<(Timestamp, RunId)> = self
            .runs
            .values()
            .filter_map(|run| Some((run.summary.closed_at?, run.summary.run)))
            .filter(|(closed_at, _)| *closed_at < closed_before)
            .collect();
        old.sort_unstable();
        old.truncate(limit);
        for (_, run) in &old {
            self.runs.remove(run);
            self.inbox.retain(|message| message.run != Some(*run));
        }
        self.rates.retain(|_, (_, until)| *until >= closed_before);
        Ok(old.len())
    }
}
