//! Messages as the inbox keeps them. Most of them become an event one day, so they are kept as
//! one: a batch of a single record, versioned and checksummed like every other.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use perdure_history::{
    Batch, BatchError, Command, Event, IdPolicy, MessageId, Payload, Record, RecordBody,
    RetryState, RunId, RunStarted, Timestamp, WorkerVersion, payloads,
};

use crate::asks;
use crate::input::{ActivityWord, MessageBody, StartRun, StartUpdate, UpdateStage};
use crate::reset::codec as reset;
use crate::task::TaskOutcome;

/// The first byte of what is kept: an event follows.
const EVENT: u8 = 1;
/// The first byte of what is kept: a run follows, which is to be tried again.
const UNPARK: u8 = 2;

/// The first byte of what is kept: a command follows, by which a run asks another for something.
const ASK: u8 = 3;

/// The first byte of what is kept: a client's word on an attempt follows, as the event that it may
/// become, behind a byte that says whether a token came with it, and the token's nonce.
const ACTIVITY: u8 = 4;

/// The first byte of what is kept: a start follows, as the event that it becomes, behind a byte
/// with its policy about other runs of its workflow id. With the default one it is kept as the
/// event alone.
const START: u8 = 5;

/// The first byte of what is kept: a run follows, which is to be paused, and why.
const PAUSE: u8 = 6;

/// The first byte of what is kept: a run follows, which is to go on.
const UNPAUSE: u8 = 7;

/// What a kept message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Kept {
    /// A client's message.
    Message(MessageBody),
    /// What a run asks of another; it lies in the inbox of the run that asks.
    Ask {
        /// The run that asks.
        run: RunId,
        /// The number of its command.
        n: u64,
        /// The command.
        command: Command,
        /// Where a child that it begins is pinned.
        pinned_to: Option<WorkerVersion>,
    },
    /// The history of a run that is to be made.
    Copy {
        /// The run.
        run: RunId,
        /// Its records.
        records: Vec<Record>,
    },
    /// A result that no turn could take.
    Result {
        /// The run.
        run: RunId,
        /// What came of its activity.
        event: Event,
    },
}

/// Why a kept message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The first byte is none that this version knows.
    #[error("the message has kind {0:?}, which needs a newer engine")]
    UnknownKind(Option<u8>),
    /// The policy of a start is none that this version knows.
    #[error("the start has id policy {0:?}, which needs a newer engine")]
    UnknownPolicy(Option<u8>),
    /// The event cannot be read.
    #[error("the message cannot be read: {0}")]
    Event(#[from] BatchError),
    /// It holds something else than one message.
    #[error("the message does not hold exactly one event")]
    NotOneEvent,
}

/// The form in which the inbox keeps a client's message; `None` for one that is never kept.
#[must_use]
pub fn encode_message(message_id: &MessageId, body: &MessageBody, at: Timestamp) -> Option<Bytes> {
    let (run, event) = match body {
        MessageBody::Start(start) => return Some(encode_start(message_id, start, at)),
        MessageBody::Unpark { run } => return Some(encode_word_on(UNPARK, *run, "")),
        MessageBody::Pause { run, reason } => return Some(encode_word_on(PAUSE, *run, reason)),
        MessageBody::Unpause { run } => return Some(encode_word_on(UNPAUSE, *run, "")),
        MessageBody::UpdateOptions { run, pinned_to } => {
            let (message_id, pinned_to) = (message_id.clone(), pinned_to.clone());
            (
                *run,
                Event::OptionsUpdated {
                    message_id,
                    pinned_to,
                },
            )
        }
        MessageBody::Activity(word) => return encode_word(word, at),
        MessageBody::Reset(request) => {
            return Some(reset::encode_request(message_id, request, at));
        }
        MessageBody::Terminate { run, reason } => {
            let (message_id, reason) = (message_id.clone(), reason.clone());
            (
                *run,
                Event::RunTerminated {
                    message_id,
                    reason,
                    next_run_id: None,
                },
            )
        }
        MessageBody::Signal {
            run,
            name,
            arguments,
        } => {
            let (message_id, name) = (message_id.clone(), name.clone());
            (
                *run,
                Event::SignalReceived {
                    message_id,
                    name,
                    arguments: arguments.clone(),
                },
            )
        }
        MessageBody::Update {
            run,
            name,
            arguments,
            ..
        } => (*run, accepted(message_id, name, arguments)),
        MessageBody::Cancel { run, reason } => {
            let (message_id, reason) = (message_id.clone(), reason.clone());
            (*run, Event::CancelRequested { message_id, reason })
        }
        MessageBody::AwaitResult { .. }
        | MessageBody::AwaitUpdate { .. }
        | MessageBody::Query { .. } => return None,
    };
    Some(encode_event(run, &event, at))
}

/// The form in which the inbox keeps an event that waits for a turn.
pub(crate) fn encode_event(run: RunId, event: &Event, at: Timestamp) -> Bytes {
    encode_record(EVENT, run, 1, RecordBody::Event(event.clone()), at)
}

fn encode_events(run: RunId, events: Vec<Event>, at: Timestamp) -> Bytes {
    let records = (1..).zip(events).map(|(n, event)| Record {
        n,
        at,
        body: RecordBody::Event(event),
    });
    encode_records(EVENT, run, 1, records.collect())
}

/// The form in which the inbox of a run keeps what its command `n` asks of another run; where a
/// child is pinned stands behind that.
pub(crate) fn encode_ask(
    run: RunId,
    n: u64,
    (command, pinned_to): (&Command, Option<&WorkerVersion>),
    at: Timestamp,
) -> Bytes {
    let pin = pinned_to.map(|version| {
        RecordBody::Event(Event::OptionsUpdated {
            message_id: asks::ask_id(run, n),
            pinned_to: Some(version.clone()),
        })
    });
    let bodies = [RecordBody::Command(command.clone())]
        .into_iter()
        .chain(pin);
    let numbered = (n..).zip(bodies);
    let records = numbered.map(|(n, body)| Record { n, at, body }).collect();
    encode_records(ASK, run, n, records)
}

fn encode_record(sort: u8, run: RunId, n: u64, body: RecordBody, at: Timestamp) -> Bytes {
    encode_records(sort, run, n, vec![Record { n, at, body }])
}

fn encode_records(sort: u8, run: RunId, n: u64, records: Vec<Record>) -> Bytes {
    let batch = Batch {
        run,
        first_n: n,
        prev_hash: [0; 16],
        epoch: 0,
        flags: 0,
        records,
    };
    let encoded = batch.encode();
    let mut out = BytesMut::with_capacity(1 + encoded.len());
    out.put_u8(sort);
    out.put_slice(&encoded);
    out.freeze()
}

fn encode_word_on(sort: u8, run: RunId, text: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(17 + text.len());
    out.put_u8(sort);
    out.put_slice(&run.0);
    out.put_slice(text.as_bytes());
    out.freeze()
}

/// Reads what [`encode_word_on`] wrote.
fn decode_word_on(sort: u8, body: &[u8]) -> Result<MessageBody, KeptError> {
    let (run, text) = body.split_first_chunk().ok_or(KeptError::NotOneEvent)?;
    let run = RunId(*run);
    match (sort, str::from_utf8(text)) {
        (UNPARK, Ok("")) => Ok(MessageBody::Unpark { run }),
        (UNPAUSE, Ok("")) => Ok(MessageBody::Unpause { run }),
        (PAUSE, Ok(reason)) => {
            let reason = reason.to_owned();
            Ok(MessageBody::Pause { run, reason })
        }
        _ => Err(KeptError::NotOneEvent),
    }
}

fn encode_start(message_id: &MessageId, start: &StartRun, at: Timestamp) -> Bytes {
    let mut events = vec![started(message_id, start)];
    events.extend(start.update.as_ref().map(StartUpdate::event));
    let event = encode_events(start.run, events, at);
    if start.id_policy == IdPolicy::default() {
        return event;
    }
    let mut out = BytesMut::with_capacity(2 + event.len());
    out.put_u8(START);
    out.put_u8(start.id_policy.to_byte());
    out.put_slice(&event);
    out.freeze()
}

fn decode_start(body: &Bytes) -> Result<Kept, KeptError> {
    let policy = body.get(1).copied();
    let Some(id_policy) = policy.and_then(IdPolicy::from_byte) else {
        return Err(KeptError::UnknownPolicy(policy));
    };
    match decode_message(&body.slice(2..))? {
        Kept::Message(MessageBody::Start(start)) => {
            let start = StartRun {
                id_policy,
                ..*start
            };
            Ok(Kept::Message(MessageBody::Start(Box::new(start))))
        }
        _ => Err(KeptError::NotOneEvent),
    }
}

fn encode_word(word: &ActivityWord, at: Timestamp) -> Option<Bytes> {
    let command_n = word.command_n;
    let (attempt, nonce) = word.token.unwrap_or_default();
    let event = match &word.outcome {
        TaskOutcome::Completed { result } => Event::ActivityCompleted {
            command_n,
            attempt,
            result: result.clone(),
        },
        TaskOutcome::Failed { failure } => Event::ActivityFailed {
            command_n,
            attempt,
            failure: failure.clone(),
            retry_state: RetryState::NonRetryable,
        },
        TaskOutcome::Cancelled { details } => Event::ActivityCancelled {
            command_n,
            attempt,
            details: details.clone(),
        },
        _ => return None,
    };
    let encoded = encode_event(word.run, &event, at);
    let mut out = BytesMut::with_capacity(10 + encoded.len());
    out.put_u8(ACTIVITY);
    out.put_u8(u8::from(word.token.is_some()));
    out.put_u64(nonce);
    out.put_slice(&encoded);
    Some(out.freeze())
}

fn decode_word(body: &Bytes) -> Result<Kept, KeptError> {
    let (Some(by_token), Some(nonce)) = (body.get(1), body.get(2..10)) else {
        return Err(KeptError::NotOneEvent);
    };
    let nonce = u64::from_be_bytes(nonce.try_into().unwrap_or_default());
    let Kept::Result { run, event } = decode_message(&body.slice(10..))? else {
        return Err(KeptError::NotOneEvent);
    };
    let (command_n, attempt, outcome) = match event {
        Event::ActivityCompleted {
            command_n,
            attempt,
            result,
        } => (command_n, attempt, TaskOutcome::Completed { result }),
        Event::ActivityFailed {
            command_n,
            attempt,
            failure,
            ..
        } => (command_n, attempt, TaskOutcome::Failed { failure }),
        Event::ActivityCancelled {
            command_n,
            attempt,
            details,
        } => (command_n, attempt, TaskOutcome::Cancelled { details }),
        _ => return Err(KeptError::NotOneEvent),
    };
    let word = ActivityWord {
        run,
        command_n,
        token: (*by_token == 1).then_some((attempt, nonce)),
        outcome,
    };
    Ok(Kept::Message(MessageBody::Activity(Box::new(word))))
}

/// A kept message with its payloads changed.
///
/// # Errors
/// What `change` says, or why the message cannot be read.
pub(crate) fn recode(
    body: &Bytes,
    change: impl FnOnce(Vec<&mut Payload>) -> Result<(), String>,
) -> Result<Bytes, String> {
    let head = match body.first() {
        Some(&(EVENT | ASK | reset::COPY)) => 1,
        Some(&reset::RESET) => reset::REQUEST_AT,
        // Their own bytes, and then those of the event.
        Some(&START) => 3,
        Some(&ACTIVITY) => 11,
        Some(&(UNPARK | PAUSE | UNPAUSE)) => return Ok(body.clone()),
        other => return Err(KeptError::UnknownKind(other.copied()).to_string()),
    };
    let (Some(kept), Some(encoded)) = (body.get(..head), body.get(head..)) else {
        return Err(KeptError::NotOneEvent.to_string());
    };
    let read = Batch::decode(&body.slice_ref(encoded));
    let mut batch = read.map_err(|error| error.to_string())?;
    let bodies = batch.records.iter_mut().map(|record| &mut record.body);
    change(bodies.flat_map(payloads::of_record).collect())?;
    Ok([kept, &batch.encode()].concat().into())
}

/// Reads a kept message.
///
/// # Errors
/// [`KeptError`] when it is damaged or was written by a newer version.
pub fn decode_message(body: &Bytes) -> Result<Kept, KeptError> {
    match body.first() {
        Some(&sort @ (UNPARK | PAUSE | UNPAUSE)) => {
            decode_word_on(sort, &body.slice(1..)).map(Kept::Message)
        }
        Some(&EVENT) => {
            let batch = Batch::decode(&body.slice(1..))?;
            let mut records = batch.records.into_iter();
            match (records.next().map(|record| record.body), records.next()) {
                (Some(RecordBody::Event(event)), None) => Ok(kept(batch.run, event)),
                (Some(RecordBody::Event(Event::RunStarted(started))), Some(second)) => {
                    let mut start = start_of(batch.run, &started);
                    start.update = Some(update_in(second.body, records.next().is_some())?);
                    Ok(Kept::Message(MessageBody::Start(Box::new(start))))
                }
                _ => Err(KeptError::NotOneEvent),
            }
        }
        Some(&ASK) => {
            let batch = Batch::decode(&body.slice(1..))?;
            let run = batch.run;
            let n = batch.first_n;
            let mut bodies = batch.records.into_iter().map(|record| record.body);
            let (command, pin) = (bodies.next(), bodies.next());
            match (command, pin, bodies.next()) {
                (Some(RecordBody::Command(command)), pin, None) => Ok(Kept::Ask {
                    run,
                    n,
                    command,
                    pinned_to: pin.map(pin_in).transpose()?,
                }),
                _ => Err(KeptError::NotOneEvent),
            }
        }
        Some(&ACTIVITY) => decode_word(body),
        Some(&START) => decode_start(body),
        Some(&reset::RESET) => reset::decode_request(body),
        Some(&reset::COPY) => reset::decode_copy(body),
        other => Err(KeptError::UnknownKind(other.copied())),
    }
}

fn kept(run: RunId, event: Event) -> Kept {
    Kept::Message(match event {
        Event::RunStarted(started) => MessageBody::Start(Box::new(start_of(run, &started))),
        Event::SignalReceived {
            name, arguments, ..
        } => MessageBody::Signal {
            run,
            name,
            arguments,
        },
        Event::UpdateAccepted {
            name, arguments, ..
        } => MessageBody::Update {
            run,
            name,
            arguments,
            stage: UpdateStage::default(),
        },
        Event::OptionsUpdated { pinned_to, .. } => MessageBody::UpdateOptions { run, pinned_to },
        Event::CancelRequested { reason, .. } => MessageBody::Cancel { run, reason },
        Event::RunTerminated { reason, .. } => MessageBody::Terminate { run, reason },
        event => return Kept::Result { run, event },
    })
}

/// Where a child is pinned: the record behind what asks for it.
fn pin_in(record: RecordBody) -> Result<WorkerVersion, KeptError> {
    match record {
        RecordBody::Event(Event::OptionsUpdated {
            pinned_to: Some(version),
            ..
        }) => Ok(version),
        _ => Err(KeptError::NotOneEvent),
    }
}

/// The update that a start brings: the last record of what is kept.
fn update_in(record: RecordBody, more_follow: bool) -> Result<StartUpdate, KeptError> {
    match record {
        RecordBody::Event(Event::UpdateAccepted {
            message_id,
            name,
            arguments,
        }) if !more_follow => Ok(StartUpdate {
            id: message_id,
            name,
            arguments,
        }),
        _ => Err(KeptError::NotOneEvent),
    }
}

impl StartUpdate {
    /// The event that it becomes once its validator has accepted it.
    pub(crate) fn event(&self) -> Event {
        accepted(&self.id, &self.name, &self.arguments)
    }
}

/// An update as the event that it becomes once its validator has accepted it.
pub(crate) fn accepted(message_id: &MessageId, name: &str, arguments: &Payload) -> Event {
    Event::UpdateAccepted {
        message_id: message_id.clone(),
        name: name.to_owned(),
        arguments: arguments.clone(),
    }
}

/// The event that begins the run of a start message.
pub(crate) fn started(message_id: &MessageId, start: &StartRun) -> Event {
    Event::RunStarted(Arc::new(RunStarted {
        message_id: message_id.clone(),
        namespace: start.namespace.clone(),
        workflow_id: start.workflow_id.clone(),
        workflow_type: Arc::clone(&start.workflow_type),
        task_queue: start.task_queue.clone(),
        arguments: start.arguments.clone(),
        seed: start.seed,
        origin: start.run,
        run_timeout: start.run_timeout,
        memo: start.memo.clone(),
        headers: start.headers.clone(),
        version: None,
        chain: start.chain.clone(),
        parent: start.parent.clone(),
        signal: start.signal.clone(),
        search_attributes: start.search_attributes.clone(),
        priority: start.priority.clone(),
    }))
}

pub(crate) fn start_of(run: RunId, started: &RunStarted) -> StartRun {
    StartRun {
        run,
        namespace: started.namespace.clone(),
        workflow_id: started.workflow_id.clone(),
        workflow_type: Arc::clone(&started.workflow_type),
        task_queue: started.task_queue.clone(),
        arguments: started.arguments.clone(),
        seed: started.seed,
        run_timeout: started.run_timeout,
        memo: started.memo.clone(),
        headers: started.headers.clone(),
        chain: started.chain.clone(),
        parent: started.parent.clone(),
        signal: started.signal.clone(),
        search_attributes: started.search_attributes.clone(),
        id_policy: perdure_history::IdPolicy::default(),
        priority: started.priority.clone(),
        update: None,
    }
}

#[cfg(test)]
mod tests {
    use perdure_history::{IdConflictPolicy, IdReusePolicy};

    use super::*;

    fn starts(run: RunId) -> [MessageBody; 3] {
        let start = crate::testing::start(run, "order-1", "audit");
        let replacing = StartRun {
            id_policy: IdPolicy {
                reuse: IdReusePolicy::AllowDuplicateFailedOnly,
                conflict: IdConflictPolicy::TerminateExisting,
            },
            ..start.clone()
        };
        let with_update = StartRun {
            update: Some(StartUpdate {
                id: MessageId("u1".to_owned()),
                name: "charge".to_owned(),
                arguments: Payload(Bytes::from_static(b"\x91\x01")),
            }),
            ..start.clone()
        };
        [start, replacing, with_update].map(|start| MessageBody::Start(Box::new(start)))
    }

    #[test]
    fn every_message_that_is_kept_is_read_back() {
        let run = RunId([3; 16]);
        let bodies = [
            MessageBody::Signal {
                run,
                name: "approve".to_owned(),
                arguments: Payload(Bytes::from_static(b"\x91\x01")),
            },
            MessageBody::Update {
                run,
                name: "charge".to_owned(),
                arguments: Payload(Bytes::from_static(b"\x91\x01")),
                stage: UpdateStage::Accepted,
            },
            MessageBody::Cancel {
                run,
                reason: "late".to_owned(),
            },
            MessageBody::Terminate {
                run,
                reason: "wrong".to_owned(),
            },
            MessageBody::Unpark { run },
            MessageBody::Unpause { run },
            MessageBody::Pause {
                run,
                reason: String::new(),
            },
            MessageBody::Activity(Box::new(ActivityWord {
                run,
                command_n: 2,
                token: Some((1, u64::MAX)),
                outcome: TaskOutcome::Completed {
                    result: Payload(Bytes::from_static(b"\x07")),
                },
            })),
        ];
        let id = MessageId("m1".to_owned());
        for body in starts(run).into_iter().chain(bodies) {
            let kept = encode_message(&id, &body, Timestamp::from_micros(5)).unwrap();
            assert_eq!(decode_message(&kept), Ok(Kept::Message(body)));
            for length in 0..kept.len() {
                assert!(
                    decode_message(&kept.slice(..length)).is_err(),
                    "cut at {length}"
                );
            }
        }
        assert_eq!(
            encode_message(&id, &MessageBody::AwaitResult { run }, Timestamp::NEVER),
            None
        );
    }
}
