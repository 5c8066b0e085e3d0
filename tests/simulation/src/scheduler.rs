//! Picks what happens next. Everything that can happen in any order does, by seed.

use std::time::Duration;

use perdure_engine::{Input, MessageBody, TaskOutcome, TaskReport, encode_message};
use perdure_store::{Fault, InboxMessage, Store};

use crate::clients::{TASK_QUEUE, WORKFLOW_TYPE, run_of, sort_of};
use crate::world::{Kept, Violation, Wire, World};

/// How many steps a healed world may take to end every run.
const HEALING_STEPS_MAX: usize = 60_000;

impl World {
    /// Lives through `steps` steps with faults, then heals and lets every run end.
    ///
    /// # Errors
    /// A broken promise.
    pub fn live(&mut self, steps: usize) -> Kept {
        let kept = self.live_through(steps);
        self.coverage.merge(&self.checkers.coverage);
        kept
    }

    fn live_through(&mut self, steps: usize) -> Kept {
        self.start_engine()?;
        for _ in 0..steps {
            self.step()?;
            self.end_drained()?;
        }
        self.heal()
    }

    /// One step of a world in which everything goes wrong.
    ///
    /// # Errors
    /// A broken promise.
    pub fn step(&mut self) -> Kept {
        match self.random.below(1_000) {
            0..=2 => self.crash_and_tell(true),
            3..=5 => self.crash_and_tell(false),
            6..=7 => self.step_clock(),
            8..=9 => self.lose_workers(),
            10..=14 => self.fault(),
            15..=17 => self.deploy(),
            18..=22 => self.evict(),
            23..=40 => self.wish(),
            41..=70 => self.disturb_network(),
            71 => self.take_over(),
            72 => self.drain(),
            73..=78 => self.step_former(),
            79..=83 => {
                let slots = self.random.below(5);
                self.report_services(slots)
            }
            84..=150 => self.pass_time(),
            _ => self.progress(),
        }
    }

    fn crash_and_tell(&mut self, machine: bool) -> Kept {
        if self.engine.is_none() {
            return Ok(());
        }
        self.tell(|| format!("crash, machine: {machine}"));
        self.coverage.note(if machine {
            "step: crash of the machine"
        } else {
            "step: crash of the process"
        });
        self.crash(machine)
    }

    /// Something that is ready is done.
    ///
    /// # Errors
    /// A broken promise.
    pub fn progress(&mut self) -> Kept {
        if self.engine.is_none() {
            return self.while_down();
        }
        match self.random.below(10) {
            0 | 1 => self.step_turn(),
            2 => {
                let count = 1 + self.random.below(4);
                self.write(count)
            }
            3 => self.sync(),
            4 => self.load(),
            5 | 6 => self.step_workers(),
            7 => self.deliver_report(),
            8 => self.deliver_wire(),
            _ => self.send(),
        }
    }

    fn while_down(&mut self) -> Kept {
        match self.random.below(4) {
            0 => {
                self.tell(|| "restart".to_owned());
                self.coverage.note("step: restart");
                self.start_engine()
            }
            1 => self.post(),
            2 => self.step_workers(),
            _ => self.pass_time(),
        }
    }

    /// A client posts into the inbox while no engine runs.
    fn post(&mut self) -> Kept {
        let Some(wish) = self.clients.any_open(&mut self.random) else {
            return Ok(());
        };
        let run = run_of(&wish.body).filter(|_| !matches!(wish.body, MessageBody::Start(_)));
        let Some(body) = encode_message(&wish.id, &wish.body, self.now) else {
            return Ok(());
        };
        let message = InboxMessage {
            run,
            message_id: wish.id,
            received_at: self.now,
            body,
        };
        self.tell(|| format!("{} is posted", message.message_id.0));
        self.coverage.note("step: post while down");
        self.checkers
            .received(&message.message_id, message.received_at);
        // A store that lost its machine takes nothing before it is opened again.
        drop(self.store.post(&message));
        Ok(())
    }

    fn send(&mut self) -> Kept {
        let durable = self.store.durable();
        let is_known = |run| durable.describe(run).ok().flatten().is_some();
        match self.clients.send(&mut self.random, is_known) {
            Some(message) => {
                self.tell(|| format!("{} is sent", message.message_id.0));
                self.coverage.note(sort_of(&message.body));
                self.checkers.received(&message.message_id, self.now);
                self.input(Input::Message(message))
            }
            None => Ok(()),
        }
    }

    fn step_workers(&mut self) -> Kept {
        for (local, report) in self.workers.step(&mut self.random) {
            if local {
                self.process.reports.push(report);
            } else {
                self.wire.push(Wire::Report(report));
            }
        }
        Ok(())
    }

    fn deliver_report(&mut self) -> Kept {
        if self.process.reports.is_empty() {
            return Ok(());
        }
        let report = self.process.reports.remove(0);
        self.tell(|| format!("local report {report:?}"));
        self.input_report(report)
    }

    fn input_report(&mut self, report: TaskReport) -> Kept {
        if self.engine.is_some() {
            self.checkers.reported(&report, self.now);
            self.coverage.note(match report.outcome {
                TaskOutcome::Accepted => "worker: Accepted",
                TaskOutcome::Heartbeat { .. } => "worker: Heartbeat",
                TaskOutcome::Completed { .. } => "worker: Completed",
                TaskOutcome::Failed { .. } => "worker: Failed",
                TaskOutcome::Cancelled { .. } => "worker: Cancelled",
                TaskOutcome::NotStarted { .. } => "worker: NotStarted",
                TaskOutcome::Lost(_) => "worker: Lost",
                _ => "worker: another",
            });
        }
        self.input(Input::Task(report))
    }

    fn deliver_wire(&mut self) -> Kept {
        if self.wire.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.wire.len());
        self.coverage.note("network: delivered");
        match self.wire.swap_remove(index) {
            Wire::Dispatch(task) => self.workers.take(*task),
            Wire::Cancel(task) => self.workers.cancel(task),
            Wire::Inventory(service) => {
                let report = self.service_report(&service);
                self.wire.push(Wire::Service(report));
            }
            Wire::Service(report) => {
                self.tell(|| format!("{} holds {:?}", report.service, report.held));
                return self.input(Input::Service(report));
            }
            Wire::Report(report) => {
                self.tell(|| format!("remote report {report:?}"));
                return self.input_report(report);
            }
        }
        Ok(())
    }

    /// The network loses or doubles something; what it delays, it reorders.
    fn disturb_network(&mut self) -> Kept {
        if self.wire.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.wire.len());
        if self.random.percent(50) {
            self.coverage.note("network: lost");
            self.wire.swap_remove(index);
        } else if let Some(doubled) = self.wire.get(index).cloned() {
            self.coverage.note("network: doubled");
            self.wire.push(doubled);
        }
        Ok(())
    }

    /// Time passes: to the next deadline, or a little.
    fn pass_time(&mut self) -> Kept {
        let due = self
            .engine
            .as_ref()
            .and_then(|engine| engine.poll_timeout());
        self.now = match due {
            Some(due) if self.random.percent(60) => due.max(self.now),
            _ => self.now + Duration::from_millis(self.random.below(2_000) as u64),
        };
        self.timeout()
    }

    /// The system's clock steps, forward or back.
    fn step_clock(&mut self) -> Kept {
        let span = Duration::from_secs(self.random.below(600) as u64);
        if self.random.percent(50) {
            self.now = self.now - span;
            self.checkers.clock_set_back(self.now);
            self.coverage.note(if self.engine.is_none() {
                "step: clock back while down"
            } else {
                "step: clock back"
            });
        } else {
            self.now = self.now + span;
            self.coverage.note("step: clock forward");
        }
        let now = self.now;
        self.tell(|| format!("the clock steps to {now:?}"));
        self.timeout()
    }

    fn lose_workers(&mut self) -> Kept {
        self.tell(|| "remote workers are lost".to_owned());
        self.coverage.note("step: workers lost");
        for (_, report) in self.workers.lose_remote(&mut self.random) {
            self.wire.push(Wire::Report(report));
        }
        Ok(())
    }

    fn deploy(&mut self) -> Kept {
        if self.random.percent(30) {
            self.version = 1;
        }
        match self.random.below(10) {
            0 | 1 => {
                self.coverage.note("step: deploy without the workflow");
                self.serve(TASK_QUEUE, &[])
            }
            2 => {
                self.coverage.note("step: deploy of another task queue");
                self.serve("another", &[WORKFLOW_TYPE])
            }
            _ => {
                self.coverage.note("step: deploy");
                self.serve(TASK_QUEUE, &[WORKFLOW_TYPE])
            }
        }
    }

    fn evict(&mut self) -> Kept {
        let count = 1 + self.random.below(3);
        self.coverage.note("step: evict");
        self.input(Input::Evict { count })
    }

    fn wish(&mut self) -> Kept {
        let runs: Vec<_> = self.programs.keys().copied().collect();
        let Some(run) = self.random.pick(&runs).copied() else {
            return Ok(());
        };
        if self.random.percent(4) {
            let number = run.0.last().copied().unwrap_or_default();
            self.clients.wish_rival(number);
            return Ok(());
        }
        let body = match self.random.below(44) {
            0 => MessageBody::Terminate {
                run,
                reason: "simulated".to_owned(),
            },
            1 => MessageBody::Cancel {
                run,
                reason: "simulated".to_owned(),
            },
            2 | 3 => MessageBody::Unpark { run },
            40 => MessageBody::Pause {
                run,
                reason: "simulated".to_owned(),
            },
            41..=43 => MessageBody::Unpause { run },
            4..=9 => MessageBody::AwaitResult { run },
            _ => {
                let name = u8::try_from(self.random.below(3)).unwrap_or(0);
                self.clients.told(run, name)
            }
        };
        self.clients.wish(body);
        Ok(())
    }

    /// The next group of writes fails in one of the ways in which disks do.
    fn fault(&mut self) -> Kept {
        if self.process.appends.is_empty() || !self.process.written.is_empty() {
            return Ok(());
        }
        let faults = [
            Fault::NoSpace,
            Fault::AmbiguousWritten,
            Fault::AmbiguousLost,
            Fault::SyncFailed,
        ];
        let fault = self.random.pick(&faults).copied().unwrap_or(Fault::NoSpace);
        self.tell(|| format!("fault {fault:?}"));
        self.coverage.note(match fault {
            Fault::NoSpace => "fault: NoSpace",
            Fault::AmbiguousWritten => "fault: AmbiguousWritten",
            Fault::AmbiguousLost => "fault: AmbiguousLost",
            Fault::SyncFailed => "fault: SyncFailed",
        });
        self.store.inject(fault);
        let (tickets, group): (Vec<u64>, Vec<_>) = self.process.appends.drain(..).unzip();
        for append in &group {
            self.note_write(append);
        }
        let results = self.store.append(&group).map_err(|error| Violation {
            law: "the store answers",
            what: error.to_string(),
        })?;
        for ((ticket, append), result) in tickets.into_iter().zip(group).zip(results) {
            if self.engine.is_none() {
                break;
            }
            self.answer_append(ticket, append, result)?;
        }
        Ok(())
    }

    /// Nothing goes wrong any more: every run must end.
    ///
    /// # Errors
    /// A broken promise.
    pub fn heal(&mut self) -> Kept {
        self.tell(|| "the world heals".to_owned());
        self.version = 1;
        self.workers.healed = true;
        self.unreadable = false;
        self.former = None;
        if self.draining {
            self.crash(false)?;
        }
        if self.engine.is_none() {
            self.start_engine()?;
        }
        self.serve(TASK_QUEUE, &[WORKFLOW_TYPE])?;
        self.report_services(4)?;
        for step in 0..HEALING_STEPS_MAX {
            if self.clients.open() == 0 && self.open_runs().is_empty() {
                return self
                    .checkers
                    .ended(&self.store, &self.programs, &self.forgotten);
            }
            if step % 40 == 39 {
                self.wish_all_go_on();
                self.report_services(4)?;
            }
            self.finish_step()?;
        }
        Err(Violation {
            law: "after healing every run ends",
            what: format!(
                "open: {:?}; wishes open: {}; engine: {:?}",
                self.open_runs(),
                self.clients.open(),
                self.open_runs()
                    .first()
                    .and_then(|run| self.engine.as_ref()?.describe(*run))
            ),
        })
    }

    fn wish_all_go_on(&mut self) {
        if self.clients.open() > 20 {
            return;
        }
        for run in self.open_runs() {
            self.clients.wish(MessageBody::Unpause { run });
            for name in 0..3 {
                let signal = self.clients.signal(run, name);
                self.clients.wish(signal);
            }
        }
    }

    /// A step without faults: everything that is ready, and time when nothing is.
    fn finish_step(&mut self) -> Kept {
        if self.engine.is_none() {
            return self.start_engine();
        }
        for _ in 0..4 {
            self.step_turn()?;
            self.load()?;
            self.step_workers()?;
            self.deliver_report()?;
            self.deliver_wire()?;
        }
        self.send()?;
        self.write(usize::MAX)?;
        self.sync()?;
        let idle = self.process.turns.is_empty()
            && self.process.loads.is_empty()
            && self.process.appends.is_empty()
            && self.process.reports.is_empty()
            && self.wire.is_empty();
        if idle || self.random.percent(10) {
            self.pass_time()
        } else {
            Ok(())
        }
    }
}
