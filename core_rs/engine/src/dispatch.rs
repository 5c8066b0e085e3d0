//! Activities on their way to workers: lines, slots, tasks, and cancels.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{Event, IdempotencyKey, TaskId, Timestamp};

use crate::activity::{Activity, Stage};
use crate::context::Context;
use crate::effect::Effect;
use crate::pending::Pending;
use crate::run::Run;
use crate::sessions;
use crate::slots::RouteId;
use crate::task::Task;
use crate::timeouts;
use crate::wheel::Due;

/// How long a service's slot stays taken by a task that nobody waits for any more.
pub(crate) const ABANDONED_AFTER: Duration = Duration::from_secs(60);

impl Context {
    /// Sets the wheel to an activity's earliest deadline.
    pub(crate) fn rearm(&mut self, run: &mut Run, command_n: u64) {
        let claim_timeout = self.options.claim_timeout;
        if let Some(activity) = run.activities.get_mut(&command_n) {
            let (at, _) = timeouts::earliest(activity, claim_timeout);
            let due = Due::Activity {
                run: run.id,
                command_n,
            };
            self.wheel.rearm(&mut activity.key, at, due);
        }
    }

    /// Takes a slot for an activity whose attempt may begin, or puts it in line.
    pub(crate) fn make_ready(&mut self, run: &mut Run, command_n: u64, now: Timestamp) {
        let nonce = self.random.next_u64();
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: activity.attempt,
        };
        if activity.local().is_some() {
            return self.make_ready_locally(run, command_n, now);
        }
        if !self.is_let_in(run, command_n) {
            return self.rearm(run, command_n);
        }
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        let Some(asked) = &activity.schedule else {
            return;
        };
        let asks = (activity.route, asked);
        if self.slots.try_hold(task, nonce, asks, now) {
            activity.nonce = nonce;
            activity.stage = Stage::Reserved;
            run.dirty.insert(command_n);
            self.slots.take_marks(run);
        } else {
            let place = activity.place(run.id, command_n);
            self.slots.enqueue(asks, place);
            activity.stage = Stage::Queued;
        }
        self.rearm(run, command_n);
    }

    /// Whether the activity's session lets it begin; if not, it waits in no line.
    fn is_let_in(&self, run: &mut Run, command_n: u64) -> bool {
        let asking = run.activities.get(&command_n);
        let may = asking.is_some_and(|activity| sessions::may_begin(run, activity));
        if let Some(activity) = run.activities.get_mut(&command_n).filter(|_| !may) {
            activity.stage = Stage::Queued;
        }
        may
    }

    /// Gives a freed slot to an activity at the head of its line; `false` when it wants none.
    pub(crate) fn reserve_from_line(
        &mut self,
        run: &mut Run,
        command_n: u64,
        route: RouteId,
        now: Timestamp,
    ) -> bool {
        let nonce = self.random.next_u64();
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return false;
        };
        let in_line = activity.stage == Stage::Queued && activity.route == route;
        if !in_line || !self.is_let_in(run, command_n) {
            return false;
        }
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return false;
        };
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: activity.attempt,
        };
        let asked = activity.schedule.as_ref();
        self.slots.hold(task, nonce, (activity.route, asked), now);
        activity.nonce = nonce;
        activity.stage = Stage::Reserved;
        run.dirty.insert(command_n);
        self.slots.take_marks(run);
        true
    }

    /// A newly scheduled activity that got no slot goes in line.
    pub(crate) fn enqueue_if_queued(&mut self, run: &mut Run, command_n: u64) {
        let Some(activity) = run.activities.get(&command_n) else {
            return;
        };
        if activity.stage == Stage::Queued
            && sessions::may_begin(run, activity)
            && let Some(asked) = &activity.schedule
        {
            let place = activity.place(run.id, command_n);
            self.slots.enqueue((activity.route, asked), place);
            self.rearm(run, command_n);
        }
    }

    /// That the attempt is handed out is durable: the task leaves.
    pub(crate) fn hand_out(&mut self, run: &mut Run, command_n: u64, now: Timestamp) {
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        if activity.stage != Stage::Reserved {
            return;
        }
        activity.stage = Stage::Handed;
        activity.stage_at = now;
        activity.heard_at = now;
        self.rearm(run, command_n);
        if let Some(task) = self.task(run, command_n) {
            self.effect(Effect::Dispatch(Box::new(task)));
        }
        self.begin_in_session(run, command_n, now);
    }

    fn task(&self, run: &Run, command_n: u64) -> Option<Task> {
        let activity = run.activities.get(&command_n)?;
        let asked = activity.schedule.as_ref()?;
        let identity = &run.identity;
        Some(Task {
            id: TaskId {
                run: run.id,
                n: command_n,
                attempt: activity.attempt,
            },
            nonce: activity.nonce,
            route: self.slots.route(activity.route)?,
            activity: Arc::clone(&asked.name),
            namespace: Arc::clone(&identity.namespace),
            workflow_id: Arc::clone(&identity.workflow_id),
            workflow_type: Arc::clone(&identity.workflow_type),
            idempotency_key: IdempotencyKey {
                origin: identity.origin,
                n: command_n,
                digest: asked.digest,
            },
            fencing_token: self.options.epoch,
            scheduled_at: activity.scheduled_at,
            deadline: timeouts::attempt_deadline(activity),
            heartbeat_timeout: asked.options.heartbeat_timeout,
            heartbeat_details: activity.heartbeat_details.clone(),
            last_failure: activity.last_failure.as_deref().cloned(),
            local: asked.options.local.is_some(),
            session: asked.options.session,
            headers: asked.headers.clone(),
            arguments: asked.arguments.clone(),
        })
    }

    /// The attempt that a worker may be at work on.
    pub(crate) fn handed_task(&self, run: &Run, command_n: u64) -> Option<TaskId> {
        let activity = run
            .activities
            .get(&command_n)
            .filter(|activity| activity.is_handed())?;
        Some(TaskId {
            run: run.id,
            n: command_n,
            attempt: activity.attempt,
        })
    }

    /// The workflow takes a call back. Gives the task whose worker is to be told, once that is
    /// durable. Where no attempt is under way and the workflow waits, it hears of the end at once.
    pub(crate) fn request_cancel(
        &mut self,
        run: &mut Run,
        command_n: u64,
        now: Timestamp,
    ) -> Option<TaskId> {
        let activity = run.activities.get_mut(&command_n)?;
        activity.cancel_requested = true;
        activity.cancel_told_at = now;
        run.dirty.insert(command_n);
        let attempt = activity.attempts_begun();
        let waits = !ends_at_once(activity);
        if activity.is_handed() {
            self.rearm(run, command_n);
            return self.handed_task(run, command_n);
        }
        if waits && activity.stage != Stage::Reported {
            let event = Event::ActivityCancelled {
                command_n,
                attempt,
                details: None,
            };
            self.report_end(run, command_n, event, now);
        }
        None
    }

    /// Asks the worker that holds a task to stop.
    pub(crate) fn tell_cancel(&mut self, task: TaskId) {
        let Some(held) = self.slots.held_mut(&task) else {
            return;
        };
        let route = held.route;
        let service = self.slots.service(route);
        let reason = "the workflow no longer waits for it".to_owned();
        self.effect(Effect::CancelTask {
            task,
            service,
            reason,
        });
    }

    /// An activity has ended: its outcome waits for a turn.
    pub(crate) fn report_end(
        &mut self,
        run: &mut Run,
        command_n: u64,
        event: Event,
        received_at: Timestamp,
    ) {
        if let Some(activity) = run.activities.get_mut(&command_n) {
            self.wheel.disarm(&mut activity.key);
            if activity.stage == Stage::Reserved {
                let task = TaskId {
                    run: run.id,
                    n: command_n,
                    attempt: activity.attempt,
                };
                self.slots.release(&task);
            }
            activity.stage = Stage::Reported;
        }
        insert_by_receipt(run, Pending::internal(event, received_at));
    }

    /// The engine no longer waits for an activity. A worker that is at work on it keeps its slot
    /// until its last word, or for a while when it is lost.
    pub(crate) fn drop_activity(&mut self, run: &mut Run, command_n: u64) {
        let Some(mut activity) = run.activities.remove(&command_n) else {
            return;
        };
        run.dirty.remove(&command_n);
        self.wheel.disarm(&mut activity.key);
        self.let_go(run, command_n, &activity);
    }

    /// Lets go of an attempt: a slot that never led to a task is free at once.
    pub(crate) fn let_go(&mut self, run: &Run, command_n: u64, activity: &Activity) {
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: activity.attempt,
        };
        if activity.stage == Stage::Reserved {
            self.slots.release(&task);
        } else if activity.is_handed() && !activity.route.is_local() {
            let at = activity.heard_at.max(activity.stage_at) + ABANDONED_AFTER;
            if let Some(held) = self.slots.held_mut(&task) {
                held.abandoned = self.wheel.arm(at, Due::Abandoned { task });
            }
        }
    }
}

/// Events wait in the order of receipt; one that fell due during an outage goes to its place.
pub(crate) fn insert_by_receipt(run: &mut Run, pending: Pending) {
    let at = pending.about.received_at;
    let after = run
        .pending
        .iter()
        .rev()
        .take_while(|other| other.about.received_at > at)
        .count();
    run.pending.insert(run.pending.len() - after, pending);
}

/// Whether a cancel of this activity ends the call at once, so that no outcome is awaited.
fn ends_at_once(activity: &Activity) -> bool {
    activity.schedule.as_ref().is_some_and(|s| {
        s.options.cancellation_type != perdure_history::CancellationType::WaitCompleted
    })
}
