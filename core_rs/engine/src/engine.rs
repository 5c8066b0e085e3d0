//! The engine's logic: handles inputs at a given time, and gives effects.

use std::time::Duration;

use perdure_history::{MessageId, RunId, Timestamp, Version};
use perdure_store::Recovery;
use rustc_hash::FxHashMap;

use crate::activity::Stage;
use crate::append_failure::Stopped;
use crate::closing::ClosingRequest;
use crate::context::Context;
use crate::effect::Effect;
use crate::hosted::Hosted;
use crate::input::{AppendFailure, Input};
use crate::loading::{LAST_RECORD, Lookup};
use crate::payload_codec::Seal;
use crate::reset::ResetQuestion;
use crate::run::{Phase, Run};
use crate::runs::Runs;
use crate::starts::StartQuestion;
use crate::task::{ServiceReport, TaskOutcome, TaskReport};
use crate::wheel::Due;

/// How often closed runs past their retention are deleted.
const RETENTION_EVERY: Duration = Duration::from_secs(3_600);

/// Limits and waits, each with its default.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The namespace; `default` by default.
    pub namespace: String,
    /// Most live runs; 10,000 by default.
    pub maximum_cached_runs: usize,
    /// Most events one turn delivers; 1,000 (design law 2).
    pub maximum_turn_events: usize,
    /// How long after a restart a remote worker may take to claim its task; 15 s.
    pub claim_timeout: Duration,
    /// The waits between tries of a parked run: from 10 s to 10 min.
    pub park_backoff: (Duration, Duration),
    /// The epoch this owner writes under.
    pub epoch: u64,
    /// The seed of jitter and nonces.
    pub seed: u64,
    /// What runs workflow code; `None` records nothing of it.
    pub version: Option<Version>,
    /// How long closed runs are kept; 30 days by default, `None` for ever.
    pub retention: Option<Duration>,
    /// What encodes payloads on their way to the store; nothing by default.
    pub seal: Seal,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            maximum_cached_runs: 10_000,
            maximum_turn_events: 1_000,
            claim_timeout: Duration::from_secs(15),
            park_backoff: (Duration::from_secs(10), Duration::from_secs(600)),
            epoch: 1,
            seed: 0,
            version: None,
            retention: Some(Duration::from_secs(30 * 86_400)),
            seal: Seal::default(),
        }
    }
}

/// The engine. Call [`Engine::handle_input`] or [`Engine::handle_timeout`], then
/// [`Engine::poll_effect`] until it gives nothing, then wait until [`Engine::poll_timeout`].
#[derive(Debug)]
pub struct Engine {
    pub(crate) context: Context,
    pub(crate) runs: Runs,
    /// Questions about runs that are not open, while the store is asked.
    pub(crate) lookups: FxHashMap<RunId, Vec<Lookup>>,
    /// Starts whose workflow id is taken, while the store is asked whether they took it.
    pub(crate) start_questions: FxHashMap<MessageId, Vec<StartQuestion>>,
    /// Requests for a reset, while the history is read.
    pub(crate) resets: FxHashMap<MessageId, ResetQuestion>,
    stopped: Option<Stopped>,
    now: Timestamp,
}

impl Engine {
    /// An engine that goes on from what the store recovered.
    #[must_use]
    pub fn new(options: EngineOptions, recovery: Recovery, now: Timestamp) -> Self {
        let mut engine = Self {
            context: Context::new(options),
            runs: Runs::default(),
            lookups: FxHashMap::default(),
            start_questions: FxHashMap::default(),
            resets: FxHashMap::default(),
            stopped: None,
            now,
        };
        if engine.context.options.retention.is_some() {
            engine
                .context
                .wheel
                .arm(now + Duration::from_secs(60), Due::Retention);
        }
        engine.recover(recovery, now);
        engine.settle(now);
        engine
    }

    /// Handles one input. Before anything received at an instant, all due by then is handled.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        if self.stopped.is_some() {
            return;
        }
        let received_at = match &input {
            Input::Posted { received_at, .. } => (*received_at).min(now),
            _ => now,
        };
        self.now = self.now.max(now);
        self.fire_due(received_at);
        let now = self.now;
        match input {
            Input::Message(message) => self.receive(message, now),
            Input::Posted {
                message,
                received_at,
            } => self.handle_message(message, received_at.min(now), now),
            Input::Turn(report) => {
                let run = report.run;
                self.with_run(run, |context, run| context.turn_reported(run, report, now));
            }
            Input::Task(report) => self.handle_task(report, now),
            Input::Service(report) => self.handle_service(&report, now),
            Input::Appended { ticket, outcome } => self.handle_appended(ticket, outcome, now),
            Input::Loaded {
                run,
                from_n,
                outcome,
            } => {
                if from_n != LAST_RECORD && self.runs.contains(run) {
                    self.with_run(run, |context, run| context.loaded(run, outcome, now));
                } else if let Some(asked) = self.lookups.remove(&run) {
                    let asked = self.context.looked_up(run, from_n, asked, outcome);
                    if !asked.is_empty() {
                        self.lookups.insert(run, asked);
                    }
                }
            }
            Input::StartFound {
                message_id,
                outcome,
            } => self.start_found(&message_id, &outcome, now),
            Input::UpdateFound {
                run,
                message_id,
                outcome,
            } => self.update_found(run, &message_id, outcome),
            Input::ResetRead {
                run,
                message_id,
                outcome,
            } => self.reset_read(run, message_id, outcome, now),
            Input::Evict { count } => self.evict_oldest(count),
            Input::Hosted(queues) => {
                self.context.slots.serve(&queues);
                self.context.hosted = Some(Hosted::new(queues));
                self.stand_in_line_again(now);
                self.try_parked_again(now);
            }
            Input::ServiceLimits(limits) => self.context.slots.limit_services(&limits),
            Input::Drain => self.drain(now),
        }
        self.fire_due(now);
        self.settle(now);
    }

    /// Hands nothing out any more, and writes the turns that are open. One that is being stepped on
    /// is written with its host's report.
    fn drain(&mut self, now: Timestamp) {
        self.context.draining = true;
        self.context.slots.close();
        for id in self.runs.ids() {
            self.with_run(id, |context, run| {
                if matches!(run.phase, Phase::Ahead) {
                    context.go_on_ahead(run, now);
                }
            });
        }
    }

    /// Handles everything due by `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        // A clock that steps back must not undo what was already due.
        self.now = self.now.max(now);
        self.fire_due(self.now);
    }

    /// Handles what was due by an instant, at the present time.
    fn fire_due(&mut self, until: Timestamp) {
        let now = self.now;
        let mut any = false;
        while self.stopped.is_none()
            && let Some((at, due)) = self.context.wheel.pop_due(until)
        {
            self.handle_due(due, at, now);
            any = true;
        }
        if any {
            self.settle(now);
        }
    }

    /// The next thing to perform.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.context.effects.pop_front()
    }

    /// The time of the last input.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// When [`Engine::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.context.wheel.next_due_at()
    }

    /// Why the engine has stopped, if it has: it takes no input any more, and the store must be
    /// opened again for a new engine.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// Stops the engine, for a reason that no write has found.
    pub(crate) fn stop(&mut self, reason: Stopped) {
        self.stopped.get_or_insert(reason);
    }

    /// Whether, after [`Input::Drain`], nothing is under way any more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.context.draining
            && self.context.slots.held_locally() == 0
            && self.context.tickets.count() == 0
            && self
                .runs
                .iter()
                .all(|run| !matches!(run.phase, Phase::Stepping(_)))
    }

    /// Whether no effect waits and no write is under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.context.effects.is_empty() && self.context.tickets.count() == 0
    }

    /// How many tasks workers hold.
    pub(crate) fn held_tasks(&self) -> usize {
        self.context.slots.held_count()
    }

    /// When something next falls due, if that includes anything that a run waits for.
    pub(crate) fn next_due_of_runs(&self) -> Option<Timestamp> {
        self.context.wheel.next_due_before_one_of_runs()
    }

    /// How many runs are open.
    #[must_use]
    pub fn open_runs(&self) -> usize {
        self.runs.len()
    }

    /// How many runs are live: the host has an instance of them.
    #[must_use]
    pub fn live_runs(&self) -> usize {
        self.context.recently_used.live()
    }

    /// Does something with an open run, and forgets it when that ended it.
    pub(crate) fn with_run<T>(
        &mut self,
        id: RunId,
        act: impl FnOnce(&mut Context, &mut Run) -> T,
    ) -> Option<T> {
        let run = self.runs.get_mut(id)?;
        let value = act(&mut self.context, run);
        if matches!(run.phase, Phase::Gone) {
            self.runs.remove(id);
        }
        Some(value)
    }

    /// Begins what follows closed runs, gives freed slots to those in line, carries out what runs
    /// have for others, and keeps the live runs within their limit.
    fn settle(&mut self, now: Timestamp) {
        loop {
            if let Some(reason) = self.context.unsealed.take() {
                return self.stop(Stopped::Unsealed { reason });
            }
            self.begin_renewals(now);
            self.make_copies(now);
            self.start_again(now);
            self.reserve_waiting(now);
            if std::mem::take(&mut self.context.routing_changed) {
                self.stand_in_line_again(now);
                self.try_unserved_again(now);
            }
            let Some(post) = self.context.posts.pop_front() else {
                break;
            };
            self.carry_out(post, now);
        }
        let Context { slots, wheel, .. } = &mut self.context;
        let ready_at = slots.rate_ready_at();
        wheel.rearm(&mut slots.wake, ready_at, Due::Rate);
        self.evict_surplus();
    }

    fn reserve_waiting(&mut self, now: Timestamp) {
        self.await_lines();
        while let Some(next) = self.context.slots.pop_waiting(now) {
            let (id, command_n) = next.which();
            self.with_run(id, |context, run| {
                if context.reserve_from_line(run, command_n, next.route(), now) {
                    context.slots.had_turn(&next);
                    context.advance(run, now);
                }
            });
        }
    }

    fn handle_appended(&mut self, ticket: u64, outcome: Result<(), AppendFailure>, now: Timestamp) {
        let Some(run) = self.context.tickets.take(ticket) else {
            return;
        };
        let stopped = self.with_run(run, |context, run| match outcome {
            Ok(()) => {
                context.committed(run, now);
                None
            }
            Err(AppendFailure { error, append }) => context.append_failed(run, error, append, now),
        });
        self.stopped = stopped.flatten();
    }

    fn handle_task(&mut self, report: TaskReport, now: Timestamp) {
        if self.context.slots.held(&report.id, report.nonce).is_none() {
            // A double, a late word on an attempt given up, or a forgery.
            return;
        }
        if !matches!(
            report.outcome,
            TaskOutcome::Accepted | TaskOutcome::Heartbeat { .. }
        ) && let Some(mut held) = self.context.slots.release(&report.id)
        {
            self.context.wheel.disarm(&mut held.abandoned);
        }
        self.with_run(report.id.run, |context, run| {
            context.apply_report(run, report, now);
            context.advance(run, now);
        });
    }

    fn handle_service(&mut self, report: &ServiceReport, now: Timestamp) {
        self.context.slots.report(report);
        for task in &report.held {
            self.with_run(task.run, |context, run| {
                let Some(activity) = run.activities.get_mut(&task.n) else {
                    return;
                };
                if activity.attempt == task.attempt && activity.stage == Stage::Unclaimed {
                    activity.stage = Stage::Started;
                    activity.heard_at = now;
                    context.rearm(run, task.n);
                }
            });
        }
    }

    fn handle_due(&mut self, due: Due, at: Timestamp, now: Timestamp) {
        match due {
            Due::Timer { run, command_n } => {
                self.with_run(run, |context, run| {
                    if let Some(timer) = run.timers.get_mut(&command_n) {
                        timer.key = None;
                        run.due_timers.insert((at, command_n));
                        context.advance(run, now);
                    }
                });
            }
            Due::Activity { run, command_n } => {
                self.with_run(run, |context, run| {
                    context.activity_due(run, command_n, now);
                    context.advance(run, now);
                });
            }
            Due::RunTimeout { run } => {
                self.with_run(run, |context, run| {
                    run.run_timeout = None;
                    context.close_soon(run, ClosingRequest::TimeOut { at }, now);
                });
            }
            Due::Begin { run } => {
                self.with_run(run, |context, run| {
                    run.delay = None;
                    run.delay_over = true;
                    context.advance(run, now);
                });
            }
            Due::Ahead { run } => {
                self.with_run(run, |context, run| context.ahead_due(run, now));
            }
            Due::Unpark { run } => {
                self.with_run(run, |context, run| context.try_again(run, now));
            }
            Due::Append { run } => {
                self.with_run(run, |context, run| context.settle_write(run));
            }
            Due::Abandoned { task } => {
                self.context.slots.release(&task);
            }
            // What waits for the rate is handed out when all that is due is settled.
            Due::Rate => self.context.slots.wake = None,
            Due::Inventory => self.ask_inventory(now),
            Due::Retention => {
                if let Some(kept) = self.context.options.retention {
                    self.context.effect(Effect::Retain {
                        closed_before: now - kept,
                    });
                    self.context
                        .wheel
                        .arm(now + RETENTION_EVERY, Due::Retention);
                }
            }
        }
    }

    fn try_parked_again(&mut self, now: Timestamp) {
        for id in self.runs.ids() {
            self.with_run(id, |context, run| {
                context.try_again(run, now);
                context.advance(run, now);
            });
        }
    }
}
