//! Histories that can be read, for tests and benchmarks (feature `testing`).

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::batch::{Batch, BatchEncoder};
use crate::chain::Chain;
use crate::command::{ActivityOptions, CancellationType, Command, ScheduleActivity, Site};
use crate::event::{Event, RunStarted};
use crate::failure::{Failure, FailureKind, RetryState};
use crate::ids::{MessageId, RunId};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::record::{Record, RecordBody};
use crate::time::Timestamp;

/// Builds a history record by record. Each method returns the number of what it added, so that a
/// test can speak of `charge` instead of 2. The doc comment of a test shows the numbered history:
///
/// ```text
/// 1 run started
/// 2   schedule charge
/// 3 activity completed (2)
/// 4   complete run
/// ```
#[derive(Clone, Debug)]
pub struct HistoryBuilder {
    run: RunId,
    at: Timestamp,
    records: Vec<Record>,
    /// How many records each turn wrote.
    turns: Vec<usize>,
}

impl HistoryBuilder {
    /// The run of every built history.
    pub const RUN: RunId = RunId([
        0x01, 0x93, 0x2c, 0x07, 0xa0, 0x00, 0x70, 0x00, 0x80, 0x00, 0, 0, 0, 0, 0, 0x01,
    ]);

    /// A history that begins with the start of a run of `workflow_type`, as record 1.
    #[must_use]
    pub fn started(workflow_type: &str) -> Self {
        Self::started_by(start(workflow_type))
    }

    /// As [`HistoryBuilder::started`], with another start.
    #[must_use]
    pub fn started_by(started: RunStarted) -> Self {
        let at = Timestamp::from_micros(1_767_225_600_000_000);
        let mut builder = Self {
            run: Self::RUN,
            at,
            records: Vec::new(),
            turns: Vec::new(),
        };
        builder.event(Event::RunStarted(Arc::new(started)));
        builder
    }

    /// Adds an event.
    pub fn event(&mut self, event: Event) -> u64 {
        self.push(RecordBody::Event(event))
    }

    /// Adds a command.
    pub fn command(&mut self, command: Command) -> u64 {
        self.push(RecordBody::Command(command))
    }

    /// Schedules an activity without arguments.
    pub fn schedule(&mut self, name: &str) -> u64 {
        self.command(schedule(name))
    }

    /// The activity of command `command_n` returned 1 at its first attempt.
    pub fn completed(&mut self, command_n: u64) -> u64 {
        self.event(completed(command_n))
    }

    /// The activity of command `command_n` failed for good.
    pub fn failed(&mut self, command_n: u64) -> u64 {
        self.event(failed(command_n))
    }

    /// Starts a timer that is due after `delay`.
    pub fn start_timer(&mut self, delay: Duration) -> u64 {
        let command = start_timer(self.at + delay);
        self.command(command)
    }

    /// The timer of command `command_n` is due.
    pub fn fired(&mut self, command_n: u64) -> u64 {
        self.event(Event::TimerFired { command_n })
    }

    /// The workflow returned 1.
    pub fn complete_run(&mut self) -> u64 {
        self.command(complete_run())
    }

    /// Ends the turn; the next begins `later`.
    pub fn turn(&mut self, later: Duration) {
        let written: usize = self.turns.iter().sum();
        self.turns.push(self.records.len() - written);
        self.at = self.at + later;
    }

    /// The records so far.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.records.clone()
    }

    /// The stored form: a batch a turn; what no [`HistoryBuilder::turn`] ended is one more.
    #[must_use]
    pub fn batches(&self) -> Vec<Bytes> {
        let mut encoder = BatchEncoder::new();
        let mut prev_hash = [0; 16];
        let mut rest = self.records.clone().into_iter();
        let mut batches = Vec::new();
        let lengths = self.turns.iter().copied().chain([usize::MAX]);
        for length in lengths {
            let records: Vec<Record> = rest.by_ref().take(length).collect();
            let Some(first_n) = records.first().map(|record| record.n) else {
                break;
            };
            let batch = Batch {
                run: self.run,
                first_n,
                prev_hash,
                epoch: 1,
                flags: 0,
                records,
            };
            let encoded = encoder.encode(&batch);
            prev_hash = Batch::hash(&encoded);
            batches.push(encoded);
        }
        batches
    }

    fn push(&mut self, body: RecordBody) -> u64 {
        let n = self.records.len() as u64 + 1;
        self.records.push(Record {
            n,
            at: self.at,
            body,
        });
        n
    }
}

/// A start with nothing special.
#[must_use]
pub fn start(workflow_type: &str) -> RunStarted {
    RunStarted {
        message_id: MessageId("start-1".to_string()),
        namespace: "default".to_string(),
        workflow_id: "example".to_string(),
        workflow_type: workflow_type.into(),
        task_queue: "default".to_string(),
        arguments: Payload(Bytes::from_static(&[0x90])),
        seed: 1,
        origin: HistoryBuilder::RUN,
        run_timeout: None,
        memo: Vec::new(),
        headers: Vec::new(),
        version: None,
        chain: Chain::default(),
        parent: None,
        signal: None,
        search_attributes: Vec::new(),
        priority: Priority::default(),
    }
}

/// An activity call without arguments, with default options.
#[must_use]
pub fn schedule(name: &str) -> Command {
    schedule_with(name, &[0x90], CancellationType::Try)
}

/// An activity call.
#[must_use]
pub fn schedule_with(name: &str, arguments: &[u8], cancellation_type: CancellationType) -> Command {
    let arguments = Payload(Bytes::copy_from_slice(arguments));
    Command::ScheduleActivity(Arc::new(ScheduleActivity {
        name: name.into(),
        service: None,
        digest: arguments.digest(),
        arguments,
        options: ActivityOptions {
            cancellation_type,
            ..ActivityOptions::default()
        },
        site: site(name),
        headers: Vec::new(),
    }))
}

/// A timer.
#[must_use]
pub fn start_timer(fire_at: Timestamp) -> Command {
    Command::StartTimer {
        fire_at,
        site: site("sleep"),
    }
}

/// The marker of a patch.
#[must_use]
pub fn record_patch(id: &str, deprecated: bool) -> Command {
    Command::RecordPatch {
        id: id.into(),
        site: site("patched"),
        deprecated,
    }
}

/// The workflow returned 1.
#[must_use]
pub fn complete_run() -> Command {
    Command::CompleteRun {
        result: Payload(Bytes::from_static(&[0x01])),
    }
}

/// The activity of command `command_n` returned 1 at its first attempt.
#[must_use]
pub fn completed(command_n: u64) -> Event {
    let result = Payload(Bytes::from_static(&[0x01]));
    Event::ActivityCompleted {
        command_n,
        attempt: 1,
        result,
    }
}

/// The activity of command `command_n` failed for good.
#[must_use]
pub fn failed(command_n: u64) -> Event {
    let retry_state = RetryState::NonRetryable;
    Event::ActivityFailed {
        command_n,
        attempt: 1,
        failure: failure("no funds"),
        retry_state,
    }
}

/// An application failure.
#[must_use]
pub fn failure(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Application {
            type_name: "CardDeclined".to_string(),
            details: None,
            non_retryable: true,
            next_retry_delay: None,
        },
        message: message.to_string(),
        stack: "Traceback (most recent call last): …".to_string(),
        cause: None,
    }
}

fn site(function: &str) -> Arc<Site> {
    Arc::new(Site {
        file: "workflows/example.py".into(),
        line: 12,
        function: function.into(),
        source_hash: 0x5eed,
    })
}
