//! The golden histories as they were first built. A case is never changed once it is written: its
//! files under `tests/histories` are the truth, and every later version must replay them.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::testing::{
    HistoryBuilder, complete_run, failure, record_patch, schedule_with, start,
};
use perdure_history::{
    CancellationType, Command, Event, Failure, FailureKind, Fork, LocalOptions, MessageId,
    ParentClosePolicy, Priority, RateLimit, RetryState, RunId, RunReset, RunStarted,
    ScheduleActivity, SearchValue, StartChild, StartSignal, Successor, TimeoutKind, Timestamp,
    Version, WorkerVersion,
};

use super::payload;

/// One golden history.
pub struct Case {
    /// `<area>/<case>`.
    pub path: &'static str,
    /// What happens, in a sentence.
    pub story: &'static str,
    pub history: HistoryBuilder,
}

fn case(path: &'static str, story: &'static str, history: HistoryBuilder) -> Case {
    Case {
        path,
        story,
        history,
    }
}

/// The run from which another was copied, or which goes on from it.
const OTHER: RunId = RunId([2; 16]);

pub(super) const SECOND: Duration = Duration::from_secs(1);

fn call(name: &str, arguments: &[u8]) -> Command {
    schedule_with(name, arguments, CancellationType::Try)
}

fn message_id(text: &str) -> MessageId {
    MessageId(text.to_owned())
}

pub(super) fn cancel_requested() -> Event {
    Event::CancelRequested {
        message_id: message_id("cancel-1"),
        reason: "no longer needed".into(),
    }
}

fn returned(command_n: u64, result: &'static [u8]) -> Event {
    Event::ActivityCompleted {
        command_n,
        attempt: 1,
        result: payload(result),
    }
}

/// Every case.
pub fn all() -> Vec<Case> {
    let mut cases = messages();
    cases.append(&mut others());
    cases.append(&mut of_runs_and_timers());
    cases.append(&mut super::related::between_runs());
    cases
}

/// The cases of messages to a run, in the order of their paths.
fn messages() -> Vec<Case> {
    vec![
        Case {
            path: "message/signals",
            story: "Two signals, one before and one after a result, in one turn.",
            history: signals(),
        },
        Case {
            path: "message/start_signal",
            story: "A start that carries a signal.",
            history: start_signal(),
        },
        Case {
            path: "message/updates",
            story: "Two updates in one turn: the first calls an activity and ends the run with \
                    its result, the second fails at once.",
            history: updates(),
        },
    ]
}

/// All other cases, in the order of their paths.
fn others() -> Vec<Case> {
    vec![
        Case {
            path: "activity/cancelled_and_awaited",
            story: "The workflow cancels a call that waits for its worker's answer, and the worker \
                    returns a value all the same: it is delivered.",
            history: cancelled(CancellationType::WaitCompleted),
        },
        Case {
            path: "activity/cancelled_at_once",
            story: "The workflow is asked to cancel itself, takes its call back, and ends as \
                    cancelled without waiting for the worker.",
            history: cancelled(CancellationType::Try),
        },
        Case {
            path: "activity/fan_out",
            story: "Three calls at once, whose results arrive in one turn in another order.",
            history: fan_out(),
        },
        Case {
            path: "activity/local_and_session",
            story: "A step in the process of the workflow, then a session and a call in it.",
            history: local_and_session(),
        },
        Case {
            path: "activity/retried_then_failed",
            story: "One attempt times out, the next is refused for good, and the run fails with \
                    the activity's failure as its cause.",
            history: retried_then_failed(),
        },
        Case {
            path: "activity/sequential",
            story: "Two calls, one after the other; the second takes what the first returned.",
            history: sequential(),
        },
        Case {
            path: "patch/markers",
            story: "Two patches, the second deprecated, each before the call that it brought.",
            history: patches(),
        },
        Case {
            path: "payload/shapes",
            story: "Arguments and results that are no plain JSON: bytes, an extension type, NaN, \
                    a map with another order, and no bytes at all.",
            history: shapes(),
        },
    ]
}

fn of_runs_and_timers() -> Vec<Case> {
    vec![
        case(
            "run/continued_as_new",
            "A run goes on in another, with other arguments.",
            continued_as_new(),
        ),
        case(
            "activity/rate_limits",
            "Two calls share rate limits; one uses more than one unit.",
            rate_limits(),
        ),
        case(
            "run/priority",
            "The run has a priority, its calls say more of it or inherit it whole.",
            priorities(),
        ),
        Case {
            path: "run/search",
            story: "The run is found by what it was started with, and by what it sets as it goes \
                    on: one value of each type, one taken away, and a memo.",
            history: search(),
        },
        Case {
            path: "run/terminated",
            story: "The run is ended from outside while a call is open: no code runs.",
            history: terminated(),
        },
        Case {
            path: "run/terminated_for_a_reset",
            story: "The run is ended, and another one goes on from a copy of it.",
            history: terminated_for_a_reset(),
        },
        Case {
            path: "run/reset",
            story: "The records up to the reset were copied; the call they left open ends here.",
            history: reset(),
        },
        Case {
            path: "run/forked",
            story: "A fork: results were given, and from the reset on the run has another name.",
            history: forked(),
        },
        Case {
            path: "run/moved",
            story: "a run goes on under another build of its workers, and is moved to a third",
            history: moved(),
        },
        Case {
            path: "run/version_changed",
            story: "The run goes on under a newer interpreter, which its history says.",
            history: version_changed(),
        },
        case("timer/sleep", "A sleep of 30 days.", sleep()),
        Case {
            path: "timer/timeout_before_result",
            story: "A timeout of 2 s fires in the same turn as a late result, which comes second \
                    and reaches nobody: it is not in the history.",
            history: timeout_before_result(),
        },
    ]
}

/// 1 run started, 2 schedule charge | 3 completed (2), 4 continue as new
fn continued_as_new() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.command(call("charge", b"\x91\xa7order-1"));
    history.turn(SECOND);
    history.event(returned(charge, b"\xa9receipt-7"));
    let at = Timestamp::from_micros(1_767_225_601_000_000);
    let mut successor = Successor::of(HistoryBuilder::RUN, &start("order"), at);
    successor.start.arguments = payload(b"\x91\xa7order-2");
    history.command(Command::ContinueAsNew(Arc::new(successor)));
    history
}

/// 1 run started, 2 schedule rate (local) | 3 completed (2), 4 schedule session, 5 schedule copy |
/// 6 completed (5), 7 cancel activity (4), 8 complete run
fn local_and_session() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let with = |name: &str, local, session| {
        let Command::ScheduleActivity(asked) = call(name, b"\x91\xa7order-1") else {
            return call(name, b"");
        };
        let mut asked = ScheduleActivity::clone(&asked);
        (asked.options.local, asked.options.session) = (local, session);
        Command::ScheduleActivity(Arc::new(asked))
    };
    let local = LocalOptions {
        retry_threshold: Duration::from_secs(60),
        recorded_first: true,
    };
    let rate = history.command(with("rate", Some(local), None));
    history.turn(SECOND);
    history.event(returned(rate, b"\x07"));
    let session = history.command(with("session", None, Some(0)));
    let copy = history.command(with("copy", None, Some(session)));
    history.turn(SECOND);
    history.event(returned(copy, b"\xc3"));
    history.command(Command::CancelActivity { command_n: session });
    history.complete_run();
    history
}

/// 1 run started, 2 schedule charge | 3 completed (2), 4 schedule ship | 5 completed (4),
/// 6 complete run
fn sequential() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.command(call("charge", b"\x91\xa7order-1"));
    history.turn(SECOND);
    history.event(returned(charge, b"\xa9receipt-7"));
    let ship = history.command(call("ship", b"\x91\xa9receipt-7"));
    history.turn(SECOND);
    history.event(returned(ship, b"\xc3"));
    history.complete_run();
    history
}

/// 1 run started, 2 record patch fees, 3 schedule charge | 4 completed (3), 5 record patch courier
/// (deprecated), 6 schedule ship | 7 completed (6), 8 complete run
fn patches() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    history.command(record_patch("fees", false));
    let charge = history.schedule("charge");
    history.turn(SECOND);
    history.completed(charge);
    history.command(record_patch("courier", true));
    let ship = history.schedule("ship");
    history.turn(SECOND);
    history.completed(ship);
    history.complete_run();
    history
}

/// 1 run started, 2–4 schedule measure | 5 completed (4), 6 completed (2), 7 completed (3),
/// 8 complete run
fn fan_out() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("survey");
    let calls = [b"\x91\xa1a", b"\x91\xa1b", b"\x91\xa1c"]
        .map(|arguments| history.command(call("measure", arguments)));
    history.turn(SECOND);
    for command_n in [calls[2], calls[0], calls[1]] {
        history.event(returned(command_n, b"\x01"));
    }
    history.command(Command::CompleteRun {
        result: payload(b"\x93\x01\x01\x01"),
    });
    history
}

/// 1 run started, 2 schedule charge | 3 attempt failed (2) | 4 failed (2), 5 fail run
fn retried_then_failed() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(SECOND);
    let timed_out = Failure {
        kind: FailureKind::Timeout {
            kind: TimeoutKind::StartToClose,
            last_heartbeat_details: Some(payload(b"\x91\x32")),
        },
        message: "the attempt took longer than 1h".into(),
        stack: String::new(),
        cause: None,
    };
    history.event(Event::ActivityAttemptFailed {
        command_n: charge,
        attempt: 1,
        failure: timed_out,
        next_attempt_at: Timestamp::from_micros(1_767_225_602_000_000),
        heartbeat_details: Some(payload(b"\x91\x32")),
    });
    history.turn(SECOND);
    let declined = failure("card declined: no funds");
    history.event(Event::ActivityFailed {
        command_n: charge,
        attempt: 2,
        failure: declined.clone(),
        retry_state: RetryState::NonRetryable,
    });
    history.command(Command::FailRun {
        failure: Failure {
            kind: FailureKind::Activity {
                activity: "charge".into(),
                service: None,
                attempt: 2,
                retry_state: RetryState::NonRetryable,
            },
            message: "activity charge failed at attempt 2: it may not be retried".into(),
            stack: String::new(),
            cause: Some(Box::new(declined)),
        },
        next: None,
    });
    history
}

/// 1 run started, 2 schedule charge | 3 cancel requested, 4 cancel activity (2), then the end
fn cancelled(cancellation_type: CancellationType) -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.command(schedule_with("charge", b"\x90", cancellation_type));
    history.turn(SECOND);
    history.event(cancel_requested());
    history.command(Command::CancelActivity { command_n: charge });
    if cancellation_type == CancellationType::WaitCompleted {
        history.turn(SECOND);
        history.event(returned(charge, b"\xa4done"));
        history.command(Command::CompleteRun {
            result: payload(b"\xa4done"),
        });
    } else {
        history.command(Command::CancelRun { details: None });
    }
    history
}

/// 1 run started, 2 start timer | 3 fired (2), 4 complete run
fn sleep() -> HistoryBuilder {
    let days_30 = Duration::from_secs(30 * 86_400);
    let mut history = HistoryBuilder::started("reminder");
    let timer = history.start_timer(days_30);
    history.turn(days_30);
    history.fired(timer);
    history.complete_run();
    history
}

/// 1 run started, 2 schedule search, 3 start timer | 4 fired (3), 5 cancel activity (2), 6 complete
fn timeout_before_result() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("impatient");
    let search = history.schedule("search");
    let timer = history.start_timer(2 * SECOND);
    history.turn(3 * SECOND);
    history.fired(timer);
    history.command(Command::CancelActivity { command_n: search });
    history.command(Command::CompleteRun {
        result: payload(b"\xa9timed out"),
    });
    history
}

/// 1 run started, 2 schedule charge | 3 signal, 4 completed (2), 5 signal, 6 complete run
fn signals() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("conversation");
    let charge = history.schedule("charge");
    history.turn(SECOND);
    let signal = |id: &str, arguments| Event::SignalReceived {
        message_id: message_id(id),
        name: "say".into(),
        arguments: payload(arguments),
    };
    history.event(signal("signal-1", b"\x91\xa5hello"));
    history.event(returned(charge, b"\x01"));
    history.event(signal("signal-2", b"\x91\xa7goodbye"));
    history.complete_run();
    history
}

/// 1 run started with a signal, 2 complete run
fn start_signal() -> HistoryBuilder {
    let mut start = perdure_history::testing::start("conversation");
    start.signal = Some(StartSignal {
        name: "say".into(),
        arguments: payload(b"\x91\xa5hello"),
    });
    let mut history = HistoryBuilder::started_by(start);
    history.complete_run();
    history
}

/// 1 run started | 2 update, 3 schedule charge, 4 update, 5 fail update (4) | 6 completed (3),
/// 7 complete update (2), 8 complete run
fn updates() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("conversation");
    history.turn(SECOND);
    let update = |id: &str, arguments| Event::UpdateAccepted {
        message_id: message_id(id),
        name: "charge".into(),
        arguments: payload(arguments),
    };
    let first = history.event(update("update-1", b"\x91\x05"));
    let charge = history.schedule("charge");
    let second = history.event(update("update-2", b"\x91\x06"));
    history.command(Command::FailUpdate {
        event_n: second,
        failure: perdure_history::testing::failure("one at a time"),
    });
    history.turn(SECOND);
    history.event(returned(charge, b"\x01"));
    history.command(Command::CompleteUpdate {
        event_n: first,
        result: payload(b"\x01"),
    });
    history.complete_run();
    history
}

/// 1 run started, 2 schedule charge, 3 schedule audit, 4 start child | 5 completed (2), 6 complete
/// run
fn priorities() -> HistoryBuilder {
    let of_run = priority(Some(2), Some(("tenant-7", 0.5)));
    let mut history = HistoryBuilder::started_by(RunStarted {
        priority: of_run.clone(),
        ..start("order")
    });
    let charge = history.command(with_priority("charge", of_run.clone()));
    let first = priority(Some(1), None).inheriting(&of_run);
    history.command(with_priority("audit", first));
    let arguments = payload(b"\x90");
    history.command(Command::StartChild(Arc::new(StartChild {
        run: RunId([9; 16]),
        workflow_id: "child".into(),
        workflow_type: "order".into(),
        task_queue: "default".into(),
        digest: arguments.digest(),
        arguments,
        seed: 5,
        site: Arc::default(),
        run_timeout: None,
        parent_close_policy: ParentClosePolicy::Abandon,
        cancellation_type: CancellationType::Try,
        headers: Vec::new(),
        priority: priority(None, Some(("tenant-8", 1.0))).inheriting(&of_run),
    })));
    history.turn(SECOND);
    history.completed(charge);
    history.complete_run();
    history
}

/// 1 run started, 2 schedule ask, 3 schedule ask | 4 completed (2), 5 complete run
fn rate_limits() -> HistoryBuilder {
    let limit = |key: &str, limit, units| RateLimit {
        key: key.into(),
        limit,
        period: Duration::from_secs(60),
        units,
    };
    let ask = |rate_limits| {
        let mut command = call("ask", b"\x90");
        if let Command::ScheduleActivity(asked) = &mut command {
            Arc::make_mut(asked).options.rate_limits = rate_limits;
        }
        command
    };
    let mut history = HistoryBuilder::started("agent");
    let first = history.command(ask(vec![limit("requests", 500, 1)]));
    history.command(ask(vec![
        limit("requests", 500, 1),
        limit("tokens", 200_000, 1_500),
    ]));
    history.turn(SECOND);
    history.completed(first);
    history.complete_run();
    history
}

fn priority(priority_key: Option<u8>, fairness: Option<(&str, f64)>) -> Priority {
    Priority {
        priority_key,
        fairness_key: fairness.map(|(key, _)| Arc::from(key)),
        fairness_weight: fairness.map(|(_, weight)| weight),
    }
}

fn with_priority(name: &str, priority: Priority) -> Command {
    let mut command = call(name, b"\x90");
    if let Command::ScheduleActivity(asked) = &mut command {
        Arc::make_mut(asked).options.priority = priority;
    }
    command
}

/// 1 run started, 2 set search attributes, 3 set memo, 4 schedule charge | 5 completed (4),
/// 6 set search attributes, 7 complete run
fn search() -> HistoryBuilder {
    let mut history = HistoryBuilder::started_by(RunStarted {
        memo: vec![("note".into(), payload(b"\xa3why"))],
        search_attributes: vec![("CustomerId".into(), SearchValue::Keyword("42".into()))],
        ..start("order")
    });
    let texts = vec!["eu".into(), "new".into()];
    let values = [
        ("Stage", Some(SearchValue::Keyword("paying".into()))),
        ("Lines", Some(SearchValue::Int(-3))),
        ("Amount", Some(SearchValue::Double(2.5))),
        ("Vip", Some(SearchValue::Bool(true))),
        (
            "Due",
            Some(SearchValue::Datetime(Timestamp::from_micros(
                1_769_853_600_000_005,
            ))),
        ),
        ("Tags", Some(SearchValue::KeywordList(texts))),
    ];
    history.command(set_attributes(values));
    history.command(Command::SetMemo {
        entries: vec![
            ("note".into(), None),
            ("progress".into(), Some(payload(b"\x05"))),
        ],
    });
    let charge = history.schedule("charge");
    history.turn(SECOND);
    history.completed(charge);
    history.command(set_attributes([("Stage", None)]));
    history.complete_run();
    history
}

fn set_attributes<const LENGTH: usize>(values: [(&str, Option<SearchValue>); LENGTH]) -> Command {
    let attributes = values.map(|(name, value)| (name.to_owned(), value)).into();
    Command::SetSearchAttributes { attributes }
}

/// 1 run started, 2 schedule charge | 3 run terminated
fn terminated() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    history.schedule("charge");
    history.turn(SECOND);
    let message_id = message_id("terminate-1");
    history.event(Event::RunTerminated {
        message_id,
        reason: "a duplicate".into(),
        next_run_id: None,
    });
    history
}

/// 1 run started, 2 schedule charge | 3 run terminated, the reset of which names the next run
fn terminated_for_a_reset() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    history.schedule("charge");
    history.turn(SECOND);
    let message_id = message_id("reset-1");
    history.event(Event::RunTerminated {
        message_id,
        reason: "reset to event 3".into(),
        next_run_id: Some(OTHER),
    });
    history
}

/// 1 run started, 2 schedule charge | 3 run reset | 4 completed (2), 5 complete run
fn reset() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(SECOND);
    history.event(Event::RunReset(Arc::new(RunReset {
        message_id: message_id("reset-1"),
        run: OTHER,
        reason: "the bank is back".into(),
        results: Vec::new(),
        drops_messages: false,
        ends_by: None,
        fork: None,
    })));
    history.turn(SECOND);
    history.completed(charge);
    history.complete_run();
    history
}

/// 1 run started, 2 schedule charge | 3 completed (2), 4 schedule ship, 5 run reset: a fork | 6
/// completed (4), 7 complete run
fn forked() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(SECOND);
    history.completed(charge);
    let ship = history.schedule("ship");
    history.event(Event::RunReset(Arc::new(RunReset {
        message_id: message_id("fork-1"),
        run: OTHER,
        reason: String::new(),
        results: vec![charge, ship],
        drops_messages: true,
        ends_by: Some(Timestamp::from_micros(1_767_229_200_000_000)),
        fork: Some(Fork {
            workflow_id: "example-2".into(),
            seed: 2,
            origin: HistoryBuilder::RUN,
        }),
    })));
    history.turn(SECOND);
    history.completed(ship);
    history.complete_run();
    history
}

/// 1 run started, 2 schedule charge | 3 version changed, 4 completed (2), 5 complete run
fn version_changed() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(SECOND);
    let (engine, language) = ("0.1.0".into(), "cpython-3.12".into());
    history.event(Event::VersionChanged {
        engine,
        language,
        deployment: None,
    });
    history.completed(charge);
    history.complete_run();
    history
}

fn build(build_id: &str, pinned: bool) -> WorkerVersion {
    WorkerVersion {
        deployment: "shop".into(),
        build_id: build_id.into(),
        pinned,
    }
}

/// 1 run started, 2 schedule charge | 3 version changed, 4 options updated, 5 completed (2),
/// 6 complete run
fn moved() -> HistoryBuilder {
    let mut started = start("order");
    started.version = Some(Version {
        engine: "0.1.0".into(),
        language: "cpython-3.12".into(),
        deployment: Some(build("1", false)),
    });
    started.chain.pinned_to = Some(build("1", true));
    let mut history = HistoryBuilder::started_by(started);
    let charge = history.schedule("charge");
    history.turn(SECOND);
    history.event(Event::VersionChanged {
        engine: "0.1.0".into(),
        language: "cpython-3.12".into(),
        deployment: Some(build("2", false)),
    });
    history.event(Event::OptionsUpdated {
        message_id: message_id("move-1"),
        pinned_to: Some(build("3", true)),
    });
    history.completed(charge);
    history.complete_run();
    history
}

/// 1 run started, 2–6 schedule echo | 7–11 completed (2–6), 12 complete run
fn shapes() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("shapes");
    let shapes: [&[u8]; 5] = [
        b"\x91\xc4\x02\x00\xff",
        b"\x91\xd6\xff\x69\x55\xb9\x00",
        b"\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
        b"\x91\x82\xa1z\x01\xa1a\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00",
        b"",
    ];
    let calls = shapes.map(|arguments| history.command(call("echo", arguments)));
    history.turn(SECOND);
    for (command_n, arguments) in calls.into_iter().zip(shapes) {
        history.event(returned(command_n, arguments.get(1..).unwrap_or_default()));
    }
    history.command(complete_run());
    history
}
