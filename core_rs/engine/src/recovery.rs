//! A restart: everything outstanding is armed again from the index, without replaying anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use perdure_history::{Command, Event, MessageId, RunId, TaskId, Timestamp};
use perdure_store::{InboxMessage, Outstanding, OutstandingKind, Recovery, RunStatus, RunSummary};
use rustc_hash::FxHashSet;

use crate::activity::{self, Activity, Stage};
use crate::asks::{self, Post};
use crate::attempts::worker_lost;
use crate::commit::{RUN_TIMEOUT_N, START_DELAY_N};
use crate::context::Context;
use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::{Message, MessageBody, ParkReason, StartRun};
use crate::message_codec::{self, Kept};
use crate::messages;
use crate::parking::Parked;
use crate::pausing::StatusDetail;
use crate::payload_codec::Seal;
use crate::pending::{self, Delivered, Pending};
use crate::placement::Placement;
use crate::reset::Copy;
use crate::run::{Identity, Run, Timer};
use crate::wheel::Due;

/// How often services are asked for their inventory until every task is claimed or lost.
pub(crate) const INVENTORY_EVERY: Duration = Duration::from_secs(5);

impl Engine {
    /// Takes over what the store recovered.
    pub(crate) fn recover(&mut self, recovery: Recovery, now: Timestamp) {
        self.context.slots.rate_limits.recover(recovery.rates, now);
        for (summary, outstanding) in recovery.runs {
            let run = self.context.recovered_run(&summary, &outstanding, now);
            self.runs.insert(run);
        }
        let seal = self.context.options.seal.clone();
        let kept = recovery.inbox.into_iter();
        let kept: Vec<(InboxMessage, Kept)> = kept
            .filter_map(|message| readable(&seal, message))
            .collect();
        // A run that follows one has its workflow id before any other start, and before the
        // messages that it takes over.
        let (asks, kept) = self.split_asks(kept);
        let (starts, messages): (Vec<_>, Vec<_>) = asks.into_iter().partition(starts_child);
        let (successors, kept): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .partition(|(_, kept)| begins_successor(kept));
        for (message, begins) in successors {
            if let Kept::Copy { run, records } = begins {
                let ended = ended_in(&kept, run);
                let copy = Copy::of_message(run, message.message_id, records, ended);
                self.make_copy(copy, now);
            } else {
                self.recover_message(message, begins, now);
            }
        }
        // A child is there before what its inbox holds for it.
        for ask in starts {
            self.carry_out(ask, now);
        }
        let later: Vec<(Message, Timestamp)> = kept
            .into_iter()
            .filter_map(|(message, kept)| {
                let received_at = message.received_at;
                Some((self.recover_message(message, kept, now)?, received_at))
            })
            .collect();
        for ask in messages {
            self.carry_out(ask, now);
        }
        // What closes a run comes after its start has been put back, whichever was posted first.
        for (message, received_at) in later {
            self.handle_message(message, received_at, now);
        }
        for id in self.runs.ids() {
            self.with_run(id, |context, run| {
                if run.lacks_schedules {
                    context.unread.insert(run.id);
                }
                context.advance(run, now);
            });
        }
        self.context.slots.hold_back(true);
        self.ask_inventory(now);
    }

    /// Gives no slot before every run has been read that may have a place in line: in what order
    /// they are read must not decide who is first.
    pub(crate) fn await_lines(&mut self) {
        while let Some(run) = self.context.unread.first().copied() {
            let waits = |run: &Run| run.lacks_schedules && !run.unreadable && run.closing.is_none();
            if self.runs.get(run).is_some_and(waits) {
                return;
            }
            self.context.unread.remove(&run);
        }
        self.context.slots.hold_back(false);
    }

    /// Asks the services that may hold tasks from before the restart, until none is unclaimed.
    pub(crate) fn ask_inventory(&mut self, now: Timestamp) {
        let unclaimed = self.unclaimed();
        if unclaimed.is_empty() {
            return;
        }
        for (service, awaited) in unclaimed {
            self.context
                .effect(Effect::TakeInventory { service, awaited });
        }
        self.context
            .wheel
            .arm(now + INVENTORY_EVERY, Due::Inventory);
    }

    /// The tasks that nobody has claimed since the restart, with their nonces, by service.
    fn unclaimed(&self) -> BTreeMap<Arc<str>, Vec<(TaskId, u64)>> {
        let mut unclaimed: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for run in self.runs.iter() {
            for (command_n, activity) in &run.activities {
                if activity.stage == Stage::Unclaimed
                    && let Some(service) = self.context.slots.service(activity.route)
                {
                    let task = TaskId {
                        run: run.id,
                        n: *command_n,
                        attempt: activity.attempt,
                    };
                    let awaited = unclaimed.entry(service).or_default();
                    awaited.push((task, activity.nonce));
                }
            }
        }
        unclaimed
    }

    /// Takes out of the inbox what runs ask of others, but for what is answered already.
    fn split_asks(
        &mut self,
        inbox: Vec<(InboxMessage, Kept)>,
    ) -> (Vec<Post>, Vec<(InboxMessage, Kept)>) {
        let mut answered = FxHashSet::default();
        for (_, kept) in &inbox {
            if let Kept::Result { run, event } = kept {
                answered.extend(asks::answered_ask(*run, event).map(|id| (*run, id)));
            }
        }
        let mut posts = Vec::new();
        let mut others = Vec::new();
        for (message, kept) in inbox {
            let Kept::Ask {
                run,
                n,
                command,
                pinned_to,
            } = kept
            else {
                others.push((message, kept));
                continue;
            };
            let asks = self.runs.get(run).map(|run| Arc::clone(&run.identity));
            if answered.contains(&(run, message.message_id.clone())) {
                if asks.is_none() {
                    let (run, message_id) = (Some(run), message.message_id);
                    self.context.effect(Effect::Consumed { run, message_id });
                }
                continue;
            }
            let (namespace, workflow_id) = match asks {
                Some(identity) => (
                    Arc::clone(&identity.namespace),
                    Arc::clone(&identity.workflow_id),
                ),
                None => (
                    Arc::from(self.context.options.namespace.as_str()),
                    "".into(),
                ),
            };
            posts.push(Post::Ask {
                run,
                n,
                namespace,
                workflow_id,
                command,
                pinned_to,
            });
        }
        (posts, others)
    }

    /// Puts a message where it waits for a turn; gives it back when it needs none.
    fn recover_message(
        &mut self,
        message: InboxMessage,
        kept: Kept,
        now: Timestamp,
    ) -> Option<Message> {
        let about = Delivered {
            received_at: message.received_at,
            message_id: Some(message.message_id.clone()),
            in_inbox: true,
            ..Delivered::default()
        };
        let message_id = message.message_id;
        let (run_id, event) = match kept {
            Kept::Result { run, event } => (run, event),
            // Carried out, and made, before this.
            Kept::Ask { .. } | Kept::Copy { .. } => return None,
            Kept::Message(MessageBody::Signal {
                run,
                name,
                arguments,
            }) => {
                let message_id = message_id.clone();
                let event = Event::SignalReceived {
                    message_id,
                    name,
                    arguments,
                };
                (run, event)
            }
            Kept::Message(MessageBody::Update {
                run,
                name,
                arguments,
                ..
            }) => (run, message_codec::accepted(&message_id, &name, &arguments)),
            Kept::Message(MessageBody::Cancel { run, reason }) => {
                let message_id = message_id.clone();
                (run, Event::CancelRequested { message_id, reason })
            }
            Kept::Message(MessageBody::Start(start)) => {
                let received_at = message.received_at;
                self.recover_start(message_id, &start, received_at, now);
                return None;
            }
            Kept::Message(body) => {
                return Some(Message {
                    message_id,
                    reply_to: None,
                    body,
                });
            }
        };
        let found = self.with_run(run_id, |_, run| {
            run.pending.push_back(Pending { event, about });
        });
        if found.is_none() {
            let run = Some(run_id);
            self.context.effect(Effect::Consumed { run, message_id });
        }
        None
    }

    /// A start that waits: of a run that was parked before its first turn, or of a new one.
    fn recover_start(
        &mut self,
        message_id: MessageId,
        start: &StartRun,
        received_at: Timestamp,
        now: Timestamp,
    ) {
        let parked = self.with_run(start.run, |_, run| {
            let pending = messages::start_event(&message_id, start, true, received_at);
            run.pending.push_front(pending);
            run.placement = Placement::of_start(&start.chain);
            run.parent = start.parent.clone().map(Box::new);
        });
        if parked.is_none() {
            self.start_recovered(message_id, start, now);
        }
    }
}

/// A message and what it says. One that this version cannot read stays where it is, for a newer
/// one.
fn readable(seal: &Seal, message: InboxMessage) -> Option<(InboxMessage, Kept)> {
    let kept = message_codec::decode_message(&seal.open_message(&message.body)).ok()?;
    Some((message, kept))
}

/// The activities of a run whose outcome lies in its inbox.
fn ended_in(kept: &[(InboxMessage, Kept)], run: RunId) -> BTreeSet<u64> {
    let outcomes = kept.iter().filter_map(|(_, kept)| match kept {
        Kept::Result { run: of, event } if *of == run => pending::ended(event),
        _ => None,
    });
    outcomes.collect()
}

fn begins_successor(kept: &Kept) -> bool {
    match kept {
        Kept::Copy { .. } => true,
        Kept::Message(MessageBody::Start(start)) => start.chain.continued_run_id.is_some(),
        _ => false,
    }
}

fn starts_child(post: &Post) -> bool {
    matches!(
        post,
        Post::Ask {
            command: Command::StartChild(_),
            ..
        }
    )
}

impl Context {
    fn recovered_run(
        &mut self,
        summary: &RunSummary,
        outstanding: &[Outstanding],
        now: Timestamp,
    ) -> Run {
        let mut origin = summary.run;
        let mut activities = Vec::new();
        for kept in outstanding {
            if kept.kind == OutstandingKind::Activity
                && let Some(mut state) = activity::decode(&kept.state)
            {
                let details = state.heartbeat_details.iter_mut();
                self.options.seal.open(details.collect());
                origin = state.origin;
                activities.push((kept.command_n, state));
            }
        }
        let identity = Identity {
            namespace: Arc::from(summary.namespace.as_str()),
            workflow_id: Arc::from(summary.workflow_id.as_str()),
            workflow_type: Arc::from(summary.workflow_type.as_str()),
            task_queue: Arc::from(summary.task_queue.as_str()),
            origin,
        };
        let mut run = Run::new(summary.run, Arc::new(identity), summary.last_n);
        run.placement = Placement::of_attributes(&summary.visibility);
        let attributes = summary.visibility.search_attributes.iter().cloned();
        let attributes: Vec<_> = attributes
            .map(|(name, value)| (name, Some(value)))
            .collect();
        self.routing.change(&run.identity, &attributes);
        for kept in outstanding
            .iter()
            .filter(|kept| kept.kind == OutstandingKind::Timer)
        {
            self.recover_timer(&mut run, kept);
        }
        for (command_n, state) in activities {
            self.recover_activity(&mut run, command_n, state, now);
        }
        let detail = StatusDetail::decode(&summary.status_detail);
        run.paused = detail.paused.map(String::into_boxed_str);
        if summary.status == RunStatus::Parked || detail.parked.is_some() {
            self.recover_parked(&mut run, detail.parked.unwrap_or_default(), now);
        }
        run
    }

    fn recover_timer(&mut self, run: &mut Run, kept: &Outstanding) {
        let (command_n, fire_at) = (kept.command_n, kept.due_at);
        if command_n == RUN_TIMEOUT_N {
            let key = self.wheel.arm(fire_at, Due::RunTimeout { run: run.id });
            run.run_timeout = Some(Timer { fire_at, key });
        } else if command_n == START_DELAY_N {
            let key = self.wheel.arm(fire_at, Due::Begin { run: run.id });
            run.delay = Some(Timer { fire_at, key });
        } else {
            let key = self.wheel.arm(
                fire_at,
                Due::Timer {
                    run: run.id,
                    command_n,
                },
            );
            run.timers.insert(command_n, Timer { fire_at, key });
        }
    }

    fn recover_activity(
        &mut self,
        run: &mut Run,
        command_n: u64,
        state: activity::KeptActivity,
        now: Timestamp,
    ) {
        // The queue of a local activity stands in the history, if it is not the run's own.
        let route = match &state.service {
            Some(service) => self.slots.route_to_service(service),
            None => {
                let line = self.line_of(run);
                self.slots.route_to_queue(&line)
            }
        };
        let stage = match state.stage {
            Stage::Handed if state.service.is_some() => Stage::Unclaimed,
            stage => stage,
        };
        if stage == Stage::Unclaimed {
            // Its worker may still be at work on it, and then holds one of the service's slots.
            let task = TaskId {
                run: run.id,
                n: command_n,
                attempt: state.attempt,
            };
            self.slots.hold(task, state.nonce, (route, None), now);
        }
        run.lacks_schedules |= stage != Stage::Reported;
        let activity = Activity {
            schedule: None,
            route,
            stage,
            attempt: state.attempt,
            nonce: state.nonce,
            scheduled_at: state.scheduled_at,
            stage_at: state.stage_at,
            heard_at: now,
            cancel_requested: state.cancel_requested,
            cancel_told_at: now,
            refusals: 0,
            refusal: None,
            heartbeat_details: state.heartbeat_details,
            details_kept_at: now,
            last_failure: None,
            failed_unrecorded: false,
            key: None,
        };
        run.activities.insert(command_n, Box::new(activity));
        self.rearm(run, command_n);
    }

    fn recover_parked(&mut self, run: &mut Run, reason: ParkReason, now: Timestamp) {
        let again_at = now + self.park_wait(&reason, 0);
        let key = self.wheel.arm(again_at, Due::Unpark { run: run.id });
        let parked = Parked {
            reason,
            tries: 0,
            trying: false,
            written: true,
            key,
        };
        run.parked = Some(Box::new(parked));
    }

    /// The arguments of outstanding activities have been read: each goes on where it stood.
    pub(crate) fn resume_activities(&mut self, run: &mut Run, now: Timestamp) {
        let outstanding: Vec<(u64, Stage)> = run
            .activities
            .iter()
            .map(|(n, activity)| (*n, activity.stage))
            .collect();
        for (command_n, stage) in outstanding {
            self.route_again(run, command_n);
            match stage {
                Stage::Queued if self.recovered_cancel(run, command_n) => {
                    let event = Event::ActivityCancelled {
                        command_n,
                        attempt: 0,
                        details: None,
                    };
                    self.report_end(run, command_n, event, now);
                }
                Stage::Queued => self.make_ready(run, command_n, now),
                // Handed out in the process that ended: lost, and it counts.
                Stage::Handed if self.is_local(run, command_n) => {
                    self.attempt_failed(run, command_n, worker_lost(), now, now);
                }
                _ => self.rearm(run, command_n),
            }
        }
    }

    /// The history says which task queue the activity was scheduled on.
    pub(crate) fn route_again(&mut self, run: &mut Run, command_n: u64) {
        let line = self.line_of(run);
        if let Some(activity) = run.activities.get_mut(&command_n)
            && let Some(asked) = &activity.schedule
        {
            activity.route = self.slots.route_of(asked, &line);
        }
    }

    fn is_local(&self, run: &Run, command_n: u64) -> bool {
        run.activities
            .get(&command_n)
            .is_some_and(|activity| activity.route.is_local())
    }

    fn recovered_cancel(&self, run: &Run, command_n: u64) -> bool {
        run.activities
            .get(&command_n)
            .is_some_and(|activity| activity.cancel_requested)
    }
}
