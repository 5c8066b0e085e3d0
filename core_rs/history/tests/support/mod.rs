//! Arbitrary records, for property tests of the stored form.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use perdure_history::{
    ActivityOptions, Batch, CancelExternal, CancellationType, Chain, Command, Digest, Event,
    ExternalRun, Failure, FailureKind, Fork, LocalOptions, MessageId, Parent, ParentClosePolicy,
    Payload, Priority, RateLimit, Record, RecordBody, RetryPolicy, RetryState, RunId, RunReset,
    RunStarted, ScheduleActivity, SearchValue, SignalExternal, Site, StartChild, StartSignal,
    Successor, TimeoutKind, Timestamp, Version, WorkerVersion,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub const RUN: RunId = RunId([7; 16]);

/// Makes the checksum of changed bytes right again, so that the reader behind it is reached.
pub fn repair(bytes: &mut [u8]) {
    if let Some((checked, checksum)) = bytes.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(checked).to_be_bytes();
    }
}

pub fn payload() -> impl Strategy<Value = Payload> {
    let raw = vec(any::<u8>(), 0..300);
    let number = any::<i64>().prop_map(|number| [&[0xd3], &number.to_be_bytes()[..]].concat());
    let text = "[a-zé\u{1f980}]{0,31}"
        .prop_filter("short", |text| text.len() < 32)
        .prop_map(|text| [&[0x92, 0xc0, 0xa0 | text.len() as u8], text.as_bytes()].concat());
    let map = any::<f64>().prop_map(|number| {
        [
            b"\x82\xa1z\xcb".as_slice(),
            &number.to_be_bytes(),
            b"\xa1a\x91\xc3",
        ]
        .concat()
    });
    prop_oneof![raw, number, text, map].prop_map(|bytes| Payload(Bytes::from(bytes)))
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..10_000_u64).prop_map(Duration::from_millis),
        (any::<u64>(), 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        40 => ".{0,12}",
        20 => Just(String::new()),
        5 => Just("x".repeat(300)),
        1 => Just("x".repeat(70_000)),
    ]
}

fn message_id() -> impl Strategy<Value = MessageId> {
    text().prop_map(MessageId)
}

fn float() -> impl Strategy<Value = f64> {
    // NaN is not equal to itself, so records that hold one cannot be compared here.
    any::<f64>().prop_filter("a number", |number| !number.is_nan())
}

pub fn site() -> impl Strategy<Value = Arc<Site>> {
    // Few sites, so that many records share one.
    (0..4_u32, 0..3_u64).prop_map(|(line, source_hash)| {
        let name = if line == 0 { "" } else { "orders.py" };
        Arc::new(Site {
            file: name.into(),
            line,
            function: name.into(),
            source_hash,
        })
    })
}

fn failure_kind() -> impl Strategy<Value = FailureKind> {
    let timeout = prop::sample::select(vec![
        TimeoutKind::ScheduleToStart,
        TimeoutKind::StartToClose,
        TimeoutKind::ScheduleToClose,
        TimeoutKind::Heartbeat,
        TimeoutKind::Run,
    ]);
    prop_oneof![
        (
            text(),
            option::of(payload()),
            any::<bool>(),
            option::of(duration())
        )
            .prop_map(|(type_name, details, non_retryable, next_retry_delay)| {
                FailureKind::Application {
                    type_name,
                    details,
                    non_retryable,
                    next_retry_delay,
                }
            }),
        (timeout, option::of(payload())).prop_map(|(kind, last_heartbeat_details)| {
            FailureKind::Timeout {
                kind,
                last_heartbeat_details,
            }
        }),
        option::of(payload()).prop_map(|details| FailureKind::Cancelled { details }),
        Just(FailureKind::Terminated),
        (text(), option::of(text()), any::<u32>(), retry_state()).prop_map(
            |(activity, service, attempt, retry_state)| FailureKind::Activity {
                activity,
                service,
                attempt,
                retry_state
            }
        ),
        Just(FailureKind::WorkerLost),
        (text(), text(), any::<[u8; 16]>()).prop_map(|(workflow_type, workflow_id, run)| {
            FailureKind::ChildWorkflow {
                workflow_type,
                workflow_id,
                run: RunId(run),
            }
        }),
    ]
}

fn retry_state() -> impl Strategy<Value = RetryState> {
    prop::sample::select(vec![
        RetryState::NonRetryable,
        RetryState::MaximumAttemptsReached,
        RetryState::TimedOut,
        RetryState::CancelRequested,
    ])
}

pub fn failure() -> impl Strategy<Value = Failure> {
    vec((failure_kind(), text(), text()), 1..5).prop_map(|links| {
        let mut links = links.into_iter().map(|(kind, message, stack)| Failure {
            kind,
            message,
            stack,
            cause: None,
        });
        let innermost = links.next().unwrap();
        links.fold(innermost, |cause, outer| Failure {
            cause: Some(Box::new(cause)),
            ..outer
        })
    })
}

fn retry_policy() -> impl Strategy<Value = RetryPolicy> {
    prop_oneof![
        Just(RetryPolicy::default()),
        (
            duration(),
            float(),
            duration(),
            any::<u32>(),
            vec(text(), 0..3),
            float()
        )
            .prop_map(
                |(
                    initial_interval,
                    coefficient,
                    maximum_interval,
                    maximum_attempts,
                    types,
                    jitter,
                )| {
                    RetryPolicy {
                        initial_interval,
                        backoff_coefficient: coefficient,
                        maximum_interval,
                        maximum_attempts,
                        non_retryable_error_types: types,
                        jitter,
                    }
                }
            ),
    ]
}

fn options() -> impl Strategy<Value = ActivityOptions> {
    let cancellation_type = prop::sample::select(vec![
        CancellationType::Try,
        CancellationType::WaitCompleted,
        CancellationType::Abandon,
    ]);
    let spans = [(); 4].map(|()| option::of(duration()));
    let changed = (
        option::of("[a-z]{1,8}"),
        spans,
        retry_policy(),
        cancellation_type,
        (priority(), vec(rate_limit(), 0..3)),
        (option::of(local()), option::of(any::<u64>())),
    )
        .prop_map(
            |(
                task_queue,
                [start, close, all, heartbeat],
                retry_policy,
                cancellation_type,
                (priority, rate_limits),
                place,
            )| {
                ActivityOptions {
                    task_queue: task_queue.map(Arc::from),
                    schedule_to_start_timeout: start,
                    start_to_close_timeout: close,
                    schedule_to_close_timeout: all,
                    heartbeat_timeout: heartbeat,
                    retry_policy,
                    cancellation_type,
                    priority,
                    local: place.0,
                    session: place.1,
                    rate_limits,
                }
            },
        );
    prop_oneof![Just(ActivityOptions::default()), changed]
}

fn rate_limit() -> impl Strategy<Value = RateLimit> {
    let fields = (
        text(),
        any::<u64>(),
        duration(),
        prop_oneof![Just(1), any::<u64>()],
    );
    fields.prop_map(|(key, limit, period, units)| RateLimit {
        key: Arc::from(key),
        limit,
        period,
        units,
    })
}

fn priority() -> impl Strategy<Value = Priority> {
    let fields = (
        option::of(any::<u8>()),
        option::of(text()),
        option::of(any::<f64>()),
    );
    let changed = fields.prop_map(|(priority_key, fairness_key, fairness_weight)| Priority {
        priority_key,
        fairness_key: fairness_key.map(Arc::from),
        fairness_weight,
    });
    prop_oneof![Just(Priority::default()), changed]
}

fn local() -> impl Strategy<Value = LocalOptions> {
    (duration(), any::<bool>()).prop_map(|(retry_threshold, recorded_first)| LocalOptions {
        retry_threshold,
        recorded_first,
    })
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((text(), text()), 0..3)
}

fn parent() -> impl Strategy<Value = Parent> {
    (any::<[u8; 16]>(), any::<u64>(), text()).prop_map(|(run, command_n, workflow_id)| Parent {
        run: RunId(run),
        command_n,
        workflow_id,
    })
}

fn start_child() -> impl Strategy<Value = Command> {
    let names = (any::<[u8; 16]>(), text(), text(), text());
    let values = (payload(), any::<u128>(), any::<u64>(), site());
    let policy = prop::sample::select(vec![
        ParentClosePolicy::Terminate,
        ParentClosePolicy::RequestCancel,
        ParentClosePolicy::Abandon,
    ]);
    let cancellation_type = prop::sample::select(vec![
        CancellationType::Try,
        CancellationType::WaitCompleted,
        CancellationType::Abandon,
    ]);
    let options = (
        option::of(duration()),
        policy,
        cancellation_type,
        headers(),
        priority(),
    );
    (names, values, options).prop_map(
        |(
            (run, workflow_id, workflow_type, task_queue),
            (arguments, digest, seed, site),
            (run_timeout, parent_close_policy, cancellation_type, headers, priority),
        )| {
            Command::StartChild(Arc::new(StartChild {
                run: RunId(run),
                workflow_id,
                workflow_type: workflow_type.into(),
                task_queue,
                arguments,
                digest: Digest(digest),
                seed,
                site,
                run_timeout,
                parent_close_policy,
                cancellation_type,
                headers,
                priority,
            }))
        },
    )
}

fn external_command() -> impl Strategy<Value = Command> {
    let target = || {
        (
            text(),
            option::of(any::<[u8; 16]>()),
            option::of(any::<u64>()),
        )
            .prop_map(|(workflow_id, run, child_n)| ExternalRun {
                workflow_id,
                run: run.map(RunId),
                child_n,
            })
    };
    prop_oneof![
        (target(), text(), payload(), site()).prop_map(|(target, name, arguments, site)| {
            Command::SignalExternal(Arc::new(SignalExternal {
                target,
                name,
                arguments,
                site,
            }))
        }),
        (target(), text(), site()).prop_map(|(target, reason, site)| {
            Command::CancelExternal(Arc::new(CancelExternal {
                target,
                reason,
                site,
            }))
        }),
    ]
}

fn child_event() -> impl Strategy<Value = Event> {
    let n = any::<u64>;
    prop_oneof![
        n().prop_map(|command_n| Event::ChildStarted { command_n }),
        (n(), payload())
            .prop_map(|(command_n, result)| Event::ChildCompleted { command_n, result }),
        (n(), failure()).prop_map(|(command_n, failure)| Event::ChildFailed { command_n, failure }),
        (n(), option::of(payload()))
            .prop_map(|(command_n, details)| Event::ChildCancelled { command_n, details }),
        n().prop_map(|command_n| Event::ExternalSignalDelivered { command_n }),
        (n(), failure())
            .prop_map(|(command_n, failure)| Event::ExternalSignalFailed { command_n, failure }),
        n().prop_map(|command_n| Event::ExternalCancelDelivered { command_n }),
        (n(), failure())
            .prop_map(|(command_n, failure)| Event::ExternalCancelFailed { command_n, failure }),
    ]
}

fn search_value() -> impl Strategy<Value = SearchValue> {
    prop_oneof![
        text().prop_map(SearchValue::Keyword),
        any::<i64>().prop_map(SearchValue::Int),
        float().prop_map(SearchValue::Double),
        any::<bool>().prop_map(SearchValue::Bool),
        timestamp().prop_map(SearchValue::Datetime),
        vec(text(), 0..3).prop_map(SearchValue::KeywordList),
    ]
}

pub fn command() -> impl Strategy<Value = Command> {
    let call = (
        text(),
        option::of(text()),
        payload(),
        any::<u128>(),
        options(),
        site(),
        headers(),
    );
    prop_oneof![
        call.prop_map(
            |(name, service, arguments, digest, options, site, headers)| {
                Command::ScheduleActivity(Arc::new(ScheduleActivity {
                    name: name.into(),
                    service: service.map(Arc::from),
                    arguments,
                    digest: Digest(digest),
                    options,
                    site,
                    headers,
                }))
            }
        ),
        any::<u64>().prop_map(|command_n| Command::CancelActivity { command_n }),
        (timestamp(), site()).prop_map(|(fire_at, site)| Command::StartTimer { fire_at, site }),
        any::<u64>().prop_map(|command_n| Command::CancelTimer { command_n }),
        payload().prop_map(|result| Command::CompleteRun { result }),
        failure().prop_map(|failure| Command::FailRun {
            failure,
            next: None
        }),
        (failure(), successor()).prop_map(|(failure, next)| Command::FailRun {
            failure,
            next: Some(next),
        }),
        successor().prop_map(Command::ContinueAsNew),
        option::of(payload()).prop_map(|details| Command::CancelRun { details }),
        (text(), site(), any::<bool>()).prop_map(|(id, site, deprecated)| Command::RecordPatch {
            id: id.into(),
            site,
            deprecated,
        }),
        start_child(),
        any::<u64>().prop_map(|command_n| Command::CancelChild { command_n }),
        external_command(),
        (any::<u64>(), payload())
            .prop_map(|(event_n, result)| Command::CompleteUpdate { event_n, result }),
        (any::<u64>(), failure())
            .prop_map(|(event_n, failure)| Command::FailUpdate { event_n, failure }),
        vec((text(), option::of(search_value())), 0..4)
            .prop_map(|attributes| Command::SetSearchAttributes { attributes }),
        vec((text(), option::of(payload())), 0..4).prop_map(|entries| Command::SetMemo { entries }),
    ]
}

fn successor() -> impl Strategy<Value = Arc<Successor>> {
    (any::<[u8; 16]>(), started()).prop_map(|(run, start)| {
        Arc::new(Successor {
            run: RunId(run),
            start,
        })
    })
}

fn chain() -> BoxedStrategy<Chain> {
    let run = || option::of(any::<[u8; 16]>().prop_map(RunId));
    let retry = (option::of(retry_policy()), option::of(failure()));
    let instants = (option::of(timestamp()), option::of(timestamp()));
    let spans = (option::of(duration()), option::of(duration()));
    let pin = option::of(worker_version());
    prop_oneof![
        Just(Chain::default()),
        (run(), run(), any::<u32>(), retry, instants, spans, pin).prop_map(
            |(continued_run_id, first_run_id, attempt, retry, (ends_by, begins_at), spans, pin)| {
                Chain {
                    continued_run_id,
                    first_run_id,
                    attempt,
                    retry_policy: retry.0,
                    last_failure: retry.1,
                    ends_by,
                    begins_at,
                    execution_timeout: spans.0,
                    start_delay: spans.1,
                    pinned_to: pin,
                }
            }
        ),
    ]
    .boxed()
}

fn run_started() -> impl Strategy<Value = Event> {
    started().prop_map(|started| Event::RunStarted(Arc::new(started)))
}

fn started() -> BoxedStrategy<RunStarted> {
    let names = (text(), text(), text(), text());
    let rest = (
        message_id(),
        payload(),
        any::<u64>(),
        any::<[u8; 16]>(),
        option::of(duration()),
    );
    let version = (text(), text(), option::of(worker_version())).prop_map(
        |(engine, language, deployment)| Version {
            engine,
            language,
            deployment,
        },
    );
    let version = option::of(version);
    let signal = option::of(
        (text(), payload()).prop_map(|(name, arguments)| StartSignal { name, arguments }),
    );
    let place = (
        chain(),
        option::of(parent()),
        signal,
        vec((text(), search_value()), 0..3),
        priority(),
    );
    let pairs = (vec((text(), payload()), 0..3), headers(), version, place);
    (names, rest, pairs)
        .prop_map(
            |(
                (namespace, workflow_id, workflow_type, task_queue),
                (message_id, arguments, seed, origin, run_timeout),
                (memo, headers, version, (chain, parent, signal, search_attributes, priority)),
            )| {
                RunStarted {
                    message_id,
                    namespace,
                    workflow_id,
                    workflow_type: workflow_type.into(),
                    task_queue,
                    arguments,
                    seed,
                    origin: RunId(origin),
                    run_timeout,
                    memo,
                    headers,
                    version,
                    chain,
                    parent,
                    signal,
                    search_attributes,
                    priority,
                }
            },
        )
        .boxed()
}

fn worker_version() -> impl Strategy<Value = WorkerVersion> {
    (text(), text(), any::<bool>()).prop_map(|(deployment, build_id, pinned)| WorkerVersion {
        deployment,
        build_id,
        pinned,
    })
}

fn of_versions() -> impl Strategy<Value = Event> {
    prop_oneof![
        (text(), text(), option::of(worker_version())).prop_map(
            |(engine, language, deployment)| Event::VersionChanged {
                engine,
                language,
                deployment,
            }
        ),
        (message_id(), option::of(worker_version())).prop_map(|(message_id, pinned_to)| {
            Event::OptionsUpdated {
                message_id,
                pinned_to,
            }
        }),
    ]
}

pub fn event() -> impl Strategy<Value = Event> {
    let n = any::<u64>;
    let attempt = any::<u32>;
    prop_oneof![
        run_started(),
        of_versions(),
        (n(), attempt(), payload()).prop_map(|(command_n, attempt, result)| {
            Event::ActivityCompleted {
                command_n,
                attempt,
                result,
            }
        }),
        (n(), attempt(), failure(), retry_state()).prop_map(
            |(command_n, attempt, failure, retry_state)| Event::ActivityFailed {
                command_n,
                attempt,
                failure,
                retry_state
            }
        ),
        (n(), attempt(), option::of(payload())).prop_map(|(command_n, attempt, details)| {
            Event::ActivityCancelled {
                command_n,
                attempt,
                details,
            }
        }),
        (
            n(),
            attempt(),
            failure(),
            timestamp(),
            option::of(payload())
        )
            .prop_map(
                |(command_n, attempt, failure, next_attempt_at, heartbeat_details)| {
                    Event::ActivityAttemptFailed {
                        command_n,
                        attempt,
                        failure,
                        next_attempt_at,
                        heartbeat_details,
                    }
                }
            ),
        n().prop_map(|command_n| Event::TimerFired { command_n }),
        (message_id(), text(), payload()).prop_map(|(message_id, name, arguments)| {
            Event::SignalReceived {
                message_id,
                name,
                arguments,
            }
        }),
        (message_id(), text(), payload()).prop_map(|(message_id, name, arguments)| {
            Event::UpdateAccepted {
                message_id,
                name,
                arguments,
            }
        }),
        (message_id(), text())
            .prop_map(|(message_id, reason)| Event::CancelRequested { message_id, reason }),
        ending_event(),
        child_event(),
    ]
}

fn ending_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (message_id(), text(), option::of(run_id())).prop_map(
            |(message_id, reason, next_run_id)| Event::RunTerminated {
                message_id,
                reason,
                next_run_id,
            }
        ),
        Just(Event::RunTimedOut),
        reset().prop_map(|reset| Event::RunReset(Arc::new(reset))),
    ]
}

fn run_id() -> impl Strategy<Value = RunId> {
    any::<[u8; 16]>().prop_map(RunId)
}

fn reset() -> impl Strategy<Value = RunReset> {
    let fork = (text(), any::<u64>(), run_id()).prop_map(|(workflow_id, seed, origin)| Fork {
        workflow_id,
        seed,
        origin,
    });
    let about = (message_id(), run_id(), text());
    let what = (vec(any::<u64>(), 0..20), any::<bool>());
    (about, what, option::of(timestamp()), option::of(fork)).prop_map(
        |((message_id, run, reason), (results, drops_messages), ends_by, fork)| RunReset {
            message_id,
            run,
            reason,
            results,
            drops_messages,
            ends_by,
            fork,
        },
    )
}

fn body() -> impl Strategy<Value = RecordBody> {
    prop_oneof![
        event().prop_map(RecordBody::Event),
        command().prop_map(RecordBody::Command)
    ]
}

/// The batches of one run, with the chain left out: `prev_hash` is for the caller to fill in.
pub fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let turn = (timestamp(), vec(body(), 1..6), any::<u64>());
    vec(turn, 1..5).prop_map(|turns| {
        let mut first_n = 1;
        let batch = |(at, bodies, flags): (Timestamp, Vec<RecordBody>, u64)| {
            let records: Vec<Record> = (first_n..)
                .zip(bodies)
                .map(|(n, body)| Record { n, at, body })
                .collect();
            let batch = Batch {
                run: RUN,
                first_n,
                prev_hash: [0; 16],
                epoch: 1,
                flags,
                records,
            };
            first_n += batch.records.len() as u64;
            batch
        };
        turns.into_iter().map(batch).collect()
    })
}

/// The stored form of `batches` as one chain.
pub fn encode_chain(batches: &[Batch]) -> Vec<Bytes> {
    let mut encoder = perdure_history::BatchEncoder::new();
    let mut prev_hash = [0; 16];
    let encode = |batch: &Batch| {
        let encoded = encoder.encode(&Batch {
            prev_hash,
            ..batch.clone()
        });
        prev_hash = Batch::hash(&encoded);
        encoded
    };
    batches.iter().map(encode).collect()
}
