//! Scripted workers: local ones in the engine's process, remote ones behind a network that loses,
//! doubles, delays and reorders.

use std::collections::BTreeMap;

use perdure_engine::{Lost, Route, Task, TaskOutcome, TaskReport};
use perdure_history::{Payload, TaskId};

use crate::instance::{failure, payload};
use crate::program::{Behaviour, behaviour};
use crate::random::{Random, digest};

/// A task that a worker holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The task.
    pub task: Task,
    accepted: bool,
    beats: u32,
    cancelled: bool,
}

/// All workers of this world.
#[derive(Debug, Default)]
pub struct Workers {
    held: Vec<Held>,
    /// How often each activity was refused, by its key without the attempt.
    refused: BTreeMap<(TaskId, u32), u32>,
    /// Once healed, nobody hangs, refuses or is lost any more.
    pub healed: bool,
}

/// What a forged word says.
pub const FORGED: u64 = 6;

/// What an attempt gives when it succeeds: no two attempts give the same.
#[must_use]
pub fn result_of(task: &Task) -> Payload {
    let run = task
        .id
        .run
        .0
        .iter()
        .fold(0, |so_far, byte| digest(so_far, u64::from(*byte)));
    payload(digest(digest(run, task.id.n), u64::from(task.id.attempt)))
}

impl Workers {
    /// A worker gets a task. One that it has already, it ignores.
    pub fn take(&mut self, task: Task) {
        let known = self.held.iter().any(|held| held.task.id == task.id);
        if !known {
            self.held.push(Held {
                task,
                accepted: false,
                beats: 0,
                cancelled: false,
            });
        }
    }

    /// A worker is asked to stop.
    pub fn cancel(&mut self, task: TaskId) {
        for held in &mut self.held {
            held.cancelled |= held.task.id == task;
        }
    }

    /// How many tasks are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held.len()
    }

    /// The tasks that a service's workers hold.
    #[must_use]
    pub fn inventory(&self, service: &str) -> Vec<TaskId> {
        let of_service = self.held.iter().filter(|held| match &held.task.route {
            Route::Service(name) => **name == *service,
            Route::TaskQueue(_) => false,
        });
        of_service.map(|held| held.task.id).collect()
    }

    /// The engine's process ended: what ran in it is gone.
    pub fn lose_local(&mut self) {
        self.held.retain(|held| !is_local(held));
    }

    /// A remote worker process ends; its tasks are gone, and may or may not be reported so.
    pub fn lose_remote(&mut self, random: &mut Random) -> Vec<(bool, TaskReport)> {
        let mut reports = Vec::new();
        self.held.retain(|held| {
            if is_local(held) {
                return true;
            }
            if random.percent(50) {
                reports.push(report(held, TaskOutcome::Lost(Lost::Disconnected)));
            }
            false
        });
        reports
    }

    /// A random worker does the next thing. Gives reports, and whether each comes from this
    /// process.
    pub fn step(&mut self, random: &mut Random) -> Vec<(bool, TaskReport)> {
        if self.held.is_empty() {
            return Vec::new();
        }
        let index = random.below(self.held.len());
        let mut held = self.held.swap_remove(index);
        let (reports, keeps) = self.act(&mut held, random);
        if keeps {
            self.held.push(held);
        }
        reports
    }

    fn act(&mut self, held: &mut Held, random: &mut Random) -> (Vec<(bool, TaskReport)>, bool) {
        let attempt = held.task.id.attempt;
        let does = behaviour(&held.task.activity);
        if does == Behaviour::Refuse && !self.healed {
            let times = self.refused.entry((held.task.id, 0)).or_default();
            *times += 1;
            if *times <= 2 {
                let reason = "no worker".to_owned();
                return (vec![report(held, not_started(reason))], false);
            }
        }
        if !held.accepted && !is_local(held) {
            held.accepted = true;
            return (vec![report(held, TaskOutcome::Accepted)], true);
        }
        if held.cancelled && random.percent(70) {
            return (
                vec![report(held, TaskOutcome::Cancelled { details: None })],
                false,
            );
        }
        let success = || TaskOutcome::Completed {
            result: result_of(&held.task),
        };
        let failed = |number: u64| {
            let mut failure = failure(number);
            if number == 0
                && let perdure_history::FailureKind::Application { non_retryable, .. } =
                    &mut failure.kind
            {
                *non_retryable = true;
            }
            TaskOutcome::Failed { failure }
        };
        match does {
            Behaviour::FailForGood => (vec![report(held, failed(0))], false),
            _ if held.beats < does.beats(attempt) => {
                held.beats += 1;
                let details = Some(payload(u64::from(held.beats)));
                (vec![report(held, TaskOutcome::Heartbeat { details })], true)
            }
            _ if attempt < does.succeeds_at() => {
                (vec![report(held, failed(u64::from(attempt)))], false)
            }
            Behaviour::Hang if attempt == 1 && !self.healed => (Vec::new(), true),
            Behaviour::LoseWorker if attempt == 1 && !self.healed => (
                vec![report(held, TaskOutcome::Lost(Lost::Disconnected))],
                false,
            ),
            Behaviour::AnswerTwice => {
                let (local, mut second) = report(held, success());
                second.outcome = failed(9);
                (vec![report(held, success()), (local, second)], false)
            }
            Behaviour::Forge => {
                let (local, mut forged) = report(
                    held,
                    TaskOutcome::Completed {
                        result: payload(FORGED),
                    },
                );
                forged.nonce = forged.nonce.wrapping_add(1);
                (vec![(local, forged), report(held, success())], false)
            }
            _ => (vec![report(held, success())], false),
        }
    }
}

fn is_local(held: &Held) -> bool {
    matches!(held.task.route, Route::TaskQueue(_))
}

fn report(held: &Held, outcome: TaskOutcome) -> (bool, TaskReport) {
    let local = is_local(held);
    (
        local,
        TaskReport {
            id: held.task.id,
            nonce: held.task.nonce,
            outcome,
        },
    )
}

fn not_started(reason: String) -> TaskOutcome {
    TaskOutcome::NotStarted {
        reason,
        retry_after: None,
    }
}
