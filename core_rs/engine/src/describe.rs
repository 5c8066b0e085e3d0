//! The live state of a run, for people: what it waits for, and why that does not begin.

use std::sync::Arc;

use perdure_history::{Failure, RunId, Timestamp};

use crate::activity::{Activity, Stage};
use crate::engine::Engine;
use crate::input::ParkReason;

/// What the engine knows of an open run beyond its history.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveRun {
    /// The run.
    pub run: RunId,
    /// The number of its last record.
    pub last_n: u64,
    /// Why it is parked, if it is.
    pub parked: Option<ParkReason>,
    /// Its outstanding activities.
    pub activities: Vec<PendingActivity>,
    /// When its outstanding timers are due.
    pub timers: Vec<Timestamp>,
    /// How many messages and results wait for a turn.
    pub pending_events: usize,
}

/// An outstanding activity.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingActivity {
    /// The number of the scheduling command.
    pub command_n: u64,
    /// Its name; absent after a restart until the history is read.
    pub name: Option<Arc<str>>,
    /// The service that hosts it; absent for a local one.
    pub service: Option<Arc<str>>,
    /// The current attempt, from 1.
    pub attempt: u32,
    /// How far the attempt is.
    pub progress: Progress,
    /// When it was scheduled.
    pub scheduled_at: Timestamp,
    /// Why the attempt before failed.
    pub last_failure: Option<Failure>,
    /// Whether the workflow has taken the call back.
    pub cancel_requested: bool,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// It waits for a slot, or for a worker, for this reason.
    Waiting {
        /// For people.
        reason: String,
    },
    /// A worker has it since then.
    Running {
        /// When it was handed out, or began.
        since: Timestamp,
    },
    /// The next attempt may not begin before.
    Backoff {
        /// When it may.
        next_attempt_at: Timestamp,
    },
    /// Its code has returned, and its outcome comes from elsewhere.
    Detached,
    /// Its outcome waits for a turn.
    Reported,
}

impl Engine {
    /// The live state of an open run; `None` when no such run is open.
    #[must_use]
    pub fn describe(&self, run: RunId) -> Option<LiveRun> {
        let run = self.runs.get(run)?;
        let activities = run.activities.iter();
        Some(LiveRun {
            run: run.id,
            last_n: run.tail.n,
            parked: run.parked.as_ref().map(|parked| parked.reason.clone()),
            activities: activities.map(|(n, one)| self.pending(*n, one)).collect(),
            timers: run.timers.values().map(|timer| timer.fire_at).collect(),
            pending_events: run.pending.len(),
        })
    }

    /// The ids of all open runs, in order.
    #[must_use]
    pub fn open_run_ids(&self) -> Vec<RunId> {
        self.runs.ids()
    }

    fn pending(&self, command_n: u64, activity: &Activity) -> PendingActivity {
        let asked = activity.schedule.as_ref();
        PendingActivity {
            command_n,
            name: asked.map(|asked| Arc::clone(&asked.name)),
            service: self.context.slots.service(activity.route),
            attempt: activity.attempt,
            progress: self.progress(activity),
            scheduled_at: activity.scheduled_at,
            last_failure: activity.last_failure.as_deref().cloned(),
            cancel_requested: activity.cancel_requested,
        }
    }

    fn reason_to_wait(&self, activity: &Activity) -> String {
        let asked = activity.schedule.as_deref();
        let slots = &self.context.slots;
        slots.reason_to_wait(activity.route, asked, self.now())
    }

    fn progress(&self, activity: &Activity) -> Progress {
        match activity.stage {
            Stage::Queued | Stage::Reserved => Progress::Waiting {
                reason: self.reason_to_wait(activity),
            },
            Stage::NotStarted => Progress::Waiting {
                reason: activity.refusal.clone().unwrap_or_default(),
            },
            Stage::Handed | Stage::Started | Stage::Unclaimed => Progress::Running {
                since: activity.stage_at,
            },
            Stage::Backoff => Progress::Backoff {
                next_attempt_at: activity.stage_at,
            },
            Stage::Detached => Progress::Detached,
            Stage::Reported => Progress::Reported,
        }
    }
}
