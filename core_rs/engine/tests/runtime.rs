//! The runtime over real stores: a plain thread as the host, woken by a channel.
#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use perdure_engine::{
    EngineOptions, Input, MessageBody, Reply, ReplyTo, Runtime, ServedQueue, StartRun, TaskOutcome,
    TaskReport,
};
use perdure_history::{ActivityOptions, Command, MessageId, Payload, RunId};
use perdure_machine::Activation;
use perdure_store::local::{LocalStore, Standby};
use perdure_store::{MemoryStore, Store};
use support::{activity, payload, step};

/// Ten sequential activities.
fn ten_steps(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("step", None, ActivityOptions::default())],
        Activation::ResolveActivity { command_n, .. } if *command_n >= 20 => {
            vec![Command::CompleteRun {
                result: payload("done"),
            }]
        }
        Activation::ResolveActivity { .. } => {
            vec![activity("step", None, ActivityOptions::default())]
        }
        _ => vec![],
    })
}

struct Host<S: Store + 'static> {
    runtime: Runtime<S>,
    woken: Receiver<()>,
    replies: Vec<(ReplyTo, Reply)>,
    inline_commits: usize,
    tasks: usize,
}

impl<S: Store + 'static> Host<S> {
    fn new(store: S) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let waker = move || {
            let _ = wake.send(());
        };
        let mut runtime = Runtime::new(store, EngineOptions::default(), waker).unwrap();
        runtime.submit(Input::Hosted(vec![ServedQueue {
            task_queue: Arc::from("default"),
            workflow_types: vec![Arc::from("audit")],
            maximum_concurrent_activities: 200,
            ..ServedQueue::default()
        }]));
        Self {
            runtime,
            woken,
            replies: Vec::new(),
            inline_commits: 0,
            tasks: 0,
        }
    }

    /// Pumps until `done` holds.
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let work = self.runtime.pump();
            let idle = work.is_empty();
            for turn in work.turns {
                let report = step(ten_steps, turn);
                self.runtime.submit(Input::Turn(report));
            }
            for task in work.tasks {
                self.tasks += 1;
                let outcome = TaskOutcome::Completed {
                    result: payload("ok"),
                };
                let report = TaskReport {
                    id: task.id,
                    nonce: task.nonce,
                    outcome,
                };
                self.runtime.submit(Input::Task(report));
            }
            self.replies.extend(work.replies);
            assert_eq!(work.stopped, None);
            if work.commit_inline {
                self.inline_commits += 1;
                self.runtime.commit_inline();
            } else if idle && !done(self) {
                let wait = work
                    .wake_after
                    .unwrap_or(Duration::MAX)
                    .min(Duration::from_secs(10));
                let _ = self.woken.recv_timeout(wait);
            }
        }
    }

    fn start(&mut self, number: u8) -> RunId {
        let run = RunId([number; 16]);
        let start = StartRun {
            run,
            namespace: "default".to_owned(),
            workflow_id: format!("w{number}"),
            workflow_type: Arc::from("audit"),
            task_queue: "default".to_owned(),
            arguments: Payload::default(),
            seed: 1,
            run_timeout: None,
            memo: Vec::new(),
            headers: Vec::new(),
            chain: perdure_history::Chain::default(),
            parent: None,
            signal: None,
            search_attributes: Vec::new(),
            id_policy: perdure_history::IdPolicy::default(),
            priority: perdure_history::Priority::default(),
            update: None,
        };
        let start = MessageBody::Start(Box::new(start));
        self.runtime
            .send(MessageId(format!("s{number}")), None, start);
        let wait = MessageBody::AwaitResult { run };
        self.runtime.send(
            MessageId(format!("r{number}")),
            Some(ReplyTo(number.into())),
            wait,
        );
        run
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("perdure-engine-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn local(folder: &Path) -> LocalStore {
    LocalStore::open_owner(&folder.join("app.db"), Standby::Refuse).unwrap()
}

#[test]
fn a_sequential_run_commits_inline_once_a_step() {
    let mut host = Host::new(MemoryStore::new());
    host.start(1);
    host.run_until(|host| !host.replies.is_empty());
    assert!(matches!(
        host.replies[0].1,
        Reply::Result { outcome: Ok(_), .. }
    ));
    assert_eq!((host.tasks, host.inline_commits), (10, 11));
}

#[test]
fn many_runs_share_commits_on_the_store_thread_and_survive_a_reopening() {
    let folder = folder("many");
    let mut host = Host::new(local(&folder));
    for number in 1..=50 {
        host.start(number);
    }
    host.run_until(|host| host.tasks >= 200);
    // The engine is dropped in the middle of it all, as a crash would.
    let Host { runtime, .. } = host;
    runtime.close();
    let mut host = Host::new(local(&folder));
    for number in 1..=50 {
        let wait = MessageBody::AwaitResult {
            run: RunId([number; 16]),
        };
        let (id, to) = (MessageId(format!("a{number}")), ReplyTo(number.into()));
        host.runtime.send(id, Some(to), wait);
    }
    host.run_until(|host| host.replies.len() == 50);
    for (_, reply) in &host.replies {
        assert!(
            matches!(reply, Reply::Result { outcome: Ok(_), .. }),
            "{reply:?}"
        );
    }
    host.runtime.close();
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_burst_is_handled_in_several_pumps_and_all_of_it() {
    let mut host = Host::new(MemoryStore::new());
    for number in 1..=250 {
        host.start(number);
    }
    let work = host.runtime.pump();
    assert!(work.more, "one pump must not take all of it");
    assert!(work.turns.len() < 250, "{} turns", work.turns.len());
    for turn in work.turns {
        let report = step(ten_steps, turn);
        host.runtime.submit(Input::Turn(report));
    }
    host.run_until(|host| host.tasks == 2_500 && host.runtime.engine().open_runs() == 0);
    assert!(!host.runtime.pump().more);
    host.runtime.close();
}

#[test]
fn what_another_process_posts_is_delivered_once() {
    let folder = folder("posted");
    let mut host = Host::new(local(&folder));
    let path = folder.join("app.db");
    let mut inbox = perdure_store::local::Inbox::open(&path).unwrap();
    let id = MessageId("posted".to_owned());
    let run = RunId([7; 16]);
    let start = StartRun {
        run,
        namespace: "default".to_owned(),
        workflow_id: "w".to_owned(),
        workflow_type: Arc::from("audit"),
        task_queue: "default".to_owned(),
        arguments: Payload::default(),
        seed: 1,
        run_timeout: None,
        memo: Vec::new(),
        headers: Vec::new(),
        chain: perdure_history::Chain::default(),
        parent: None,
        signal: None,
        search_attributes: Vec::new(),
        id_policy: perdure_history::IdPolicy::default(),
        priority: perdure_history::Priority::default(),
        update: None,
    };
    let start = MessageBody::Start(Box::new(start));
    let received_at = host.runtime.now();
    let body = perdure_engine::encode_message(&id, &start, received_at).unwrap();
    let message = perdure_store::InboxMessage {
        run: None,
        message_id: id,
        received_at,
        body,
    };
    assert!(inbox.post(&message).unwrap());
    host.runtime.read_inbox();
    host.runtime.read_inbox();
    host.run_until(|host| host.tasks == 10 && host.runtime.engine().open_runs() == 0);
    host.runtime.close();
    let store = local(&folder);
    assert!(store.inbox(None).unwrap().is_empty());
    assert!(store.describe(run).unwrap().is_some());
    drop(store);
    std::fs::remove_dir_all(&folder).unwrap();
}
