//! The store's thread: group commit, reads, and what else may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use perdure_history::{MessageId, RunId, Timestamp};
use perdure_store::{Append, AppendError, InboxMessage, Store, StoreError};

use crate::clock::Stopwatch;
use crate::input::AppendFailure;
use crate::loading::LAST_RECORD;
use crate::reset::ResetFound;
use crate::runtime::handle::RuntimeHandle;

/// Syncs shorter than this are done on the host's thread when one run alone is ready.
const SHORT_SYNC: Duration = Duration::from_millis(1);
/// How many closed runs one retention pass deletes, so that appends do not wait long.
const RETAIN_LIMIT: usize = 1_000;

/// What the store is to do.
#[derive(Debug)]
pub(crate) enum Job {
    Append(Vec<(u64, Append)>),
    Load {
        run: RunId,
        from_n: u64,
    },
    FindStart {
        message_id: MessageId,
    },
    FindUpdate {
        run: RunId,
        message_id: MessageId,
    },
    ReadForReset {
        run: RunId,
        message_id: MessageId,
    },
    ReadInbox,
    Discard {
        run: Option<RunId>,
        message_id: MessageId,
    },
    Retain {
        closed_before: Timestamp,
    },
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Appended(Vec<(u64, Result<(), AppendFailure>)>),
    Loaded {
        run: RunId,
        from_n: u64,
        outcome: Result<Vec<Bytes>, StoreError>,
    },
    StartFound {
        message_id: MessageId,
        outcome: Result<Option<RunId>, StoreError>,
    },
    UpdateFound {
        run: RunId,
        message_id: MessageId,
        outcome: Result<Vec<Bytes>, StoreError>,
    },
    ResetRead {
        run: RunId,
        message_id: MessageId,
        outcome: Result<ResetFound, StoreError>,
    },
    Inbox(Result<Vec<InboxMessage>, StoreError>),
    Done,
}

/// Drives the store from a thread of its own; the host may use the store itself while it is idle.
pub(crate) struct StoreThread<S> {
    store: Arc<Mutex<Option<S>>>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// How many jobs have not been answered.
    waiting: Arc<AtomicUsize>,
    /// A moving average of how long a commit takes.
    commit_ns: Arc<AtomicU64>,
}

impl<S: Store + 'static> StoreThread<S> {
    pub(crate) fn start(
        store: S,
        handle: RuntimeHandle,
    ) -> Result<(Self, Receiver<Answer>), StoreError> {
        let (jobs, line) = crossbeam_channel::unbounded();
        let (answers, answered) = crossbeam_channel::unbounded();
        let store = Arc::new(Mutex::new(Some(store)));
        let waiting = Arc::new(AtomicUsize::new(0));
        let commit_ns = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            store: Arc::clone(&store),
            line,
            answers,
            handle,
            waiting: Arc::clone(&waiting),
            commit_ns: Arc::clone(&commit_ns),
        };
        let thread = thread::Builder::new()
            .name("perdure-store".to_owned())
            .spawn(move || worker.run())
            .map_err(|reason| StoreError::Io {
                path: "the store's thread".to_owned(),
                reason: reason.to_string(),
            })?;
        let started = Self {
            store,
            jobs: Some(jobs),
            thread: Some(thread),
            waiting,
            commit_ns,
        };
        Ok((started, answered))
    }

    pub(crate) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            self.waiting.fetch_add(1, Ordering::AcqRel);
            // The line is open as long as its sender is.
            drop(jobs.send(job));
        }
    }

    /// Whether no job is under way or unanswered.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    pub(crate) fn syncs_are_short(&self) -> bool {
        u128::from(self.commit_ns.load(Ordering::Relaxed)) < SHORT_SYNC.as_nanos()
    }

    /// Appends on the calling thread.
    pub(crate) fn append_here(&self, ticket: u64, append: Append) -> Option<Answer> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = guard.as_mut()?;
        let watch = Stopwatch::start();
        let answer = append_group(store, vec![(ticket, append)]);
        note_commit(&self.commit_ns, watch.elapsed());
        Some(answer)
    }

    /// Finishes what is in line, ends the thread, and drops the store.
    pub(crate) fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        *guard = None;
    }
}

impl<S> Drop for StoreThread<S> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Worker<S> {
    store: Arc<Mutex<Option<S>>>,
    line: Receiver<Job>,
    answers: Sender<Answer>,
    handle: RuntimeHandle,
    waiting: Arc<AtomicUsize>,
    commit_ns: Arc<AtomicU64>,
}

impl<S: Store> Worker<S> {
    fn run(&self) {
        let mut next = None;
        while let Some(job) = next.take().or_else(|| self.line.recv().ok()) {
            let (job, merged) = self.merge(job, &mut next);
            let Some(answer) = self.perform(job) else {
                return;
            };
            // Answered before it is counted as done: whoever sees the store idle sees the answer.
            drop(self.answers.send(answer));
            self.waiting.fetch_sub(merged, Ordering::AcqRel);
            self.handle.wake();
        }
    }

    /// Group commit: appends that came while the last group was written share one sync.
    fn merge(&self, job: Job, next: &mut Option<Job>) -> (Job, usize) {
        let Job::Append(mut group) = job else {
            return (job, 1);
        };
        let mut merged = 1;
        while let Ok(job) = self.line.try_recv() {
            match job {
                Job::Append(more) => {
                    group.extend(more);
                    merged += 1;
                }
                other => {
                    *next = Some(other);
                    break;
                }
            }
        }
        (Job::Append(group), merged)
    }

    fn perform(&self, job: Job) -> Option<Answer> {
        let mut guard = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let store = guard.as_mut()?;
        Some(match job {
            Job::Append(group) => {
                let watch = Stopwatch::start();
                let answer = append_group(store, group);
                note_commit(&self.commit_ns, watch.elapsed());
                answer
            }
            Job::Load { run, from_n } => Answer::Loaded {
                run,
                from_n,
                outcome: load(store, run, from_n),
            },
            Job::FindStart { message_id } => {
                let outcome = store.started_by(&message_id);
                Answer::StartFound {
                    message_id,
                    outcome,
                }
            }
            Job::FindUpdate { run, message_id } => Answer::UpdateFound {
                outcome: store.read(run, 1),
                run,
                message_id,
            },
            Job::ReadForReset { run, message_id } => Answer::ResetRead {
                outcome: read_for_reset(store, run, &message_id),
                run,
                message_id,
            },
            Job::ReadInbox => Answer::Inbox(store.inbox(None)),
            Job::Discard { run, message_id } => {
                // Not discarded, it is offered again after a restart, and discarded then.
                drop(store.discard(run, &message_id));
                Answer::Done
            }
            Job::Retain { closed_before } => {
                // What is not deleted now is deleted an hour later.
                drop(store.retain(closed_before, RETAIN_LIMIT));
                Answer::Done
            }
        })
    }
}

fn load<S: Store>(store: &S, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError> {
    if from_n != LAST_RECORD {
        return store.read(run, from_n);
    }
    match store.describe(run)? {
        Some(summary) => store.read(run, summary.last_n),
        None => Ok(Vec::new()),
    }
}

fn read_for_reset<S: Store>(
    store: &S,
    run: RunId,
    message_id: &MessageId,
) -> Result<ResetFound, StoreError> {
    let made = store.started_by(message_id)?;
    let batches = store.read(run, 1)?;
    Ok(ResetFound { made, batches })
}

fn append_group<S: Store>(store: &mut S, group: Vec<(u64, Append)>) -> Answer {
    let (tickets, appends): (Vec<u64>, Vec<Append>) = group.into_iter().unzip();
    let results = store.append(&appends).unwrap_or_else(|error| {
        let error = of_group(error);
        vec![Err(error); appends.len()]
    });
    let answered = tickets.into_iter().zip(results).zip(appends);
    Answer::Appended(
        answered
            .map(|((ticket, result), append)| {
                let append = Box::new(append);
                (
                    ticket,
                    result.map_err(|error| AppendFailure { error, append }),
                )
            })
            .collect(),
    )
}

/// What the failure of a whole group means for each of its entries.
fn of_group(error: StoreError) -> AppendError {
    match error {
        StoreError::NoSpace { .. } | StoreError::Busy { .. } => AppendError::NoSpace,
        damaged @ StoreError::Damaged { .. } => AppendError::StoreDamaged {
            reason: damaged.to_string(),
        },
        other => AppendError::SyncFailed {
            reason: other.to_string(),
        },
    }
}

/// An eighth of the new measure, seven of the old.
fn note_commit(average_ns: &AtomicU64, took: Duration) {
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let before = average_ns.load(Ordering::Relaxed);
    let after = if before == 0 {
        took
    } else {
        before - before / 8 + took / 8
    };
    average_ns.store(after, Ordering::Relaxed);
}
