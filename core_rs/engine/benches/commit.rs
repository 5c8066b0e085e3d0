//! Where to commit: on the stepping thread or on the store's, over a real disk; and what the engine
//! itself costs, over memory. `cargo bench -p perdure-engine`; `PERDURE_BENCH_DIR` names the disk.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use perdure_engine::{
    EngineOptions, Input, MessageBody, Runtime, ServedQueue, StartRun, TaskOutcome, TaskReport,
};
use perdure_history::{ActivityOptions, Command, MessageId, Payload, RunId, Timestamp};
use perdure_machine::Activation;
use perdure_store::local::{LocalStore, Standby};
use perdure_store::{
    Append, AppendError, InboxMessage, Recovery, RunFilter, RunSummary, Search, Store, StoreError,
};
use support::{activity, payload, step};

fn steps<const LAST: u64>(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::ResolveActivity { command_n, .. } if *command_n >= LAST => {
            vec![Command::CompleteRun {
                result: payload("done"),
            }]
        }
        _ => vec![activity("step", None, ActivityOptions::default())],
    })
}

struct Host<S: Store + 'static> {
    runtime: Runtime<S>,
    woken: Receiver<()>,
    tasks: usize,
}

impl<S: Store + 'static> Host<S> {
    fn new(store: S, inline: bool) -> Self {
        let (wake, woken) = crossbeam_channel::unbounded();
        let waker = move || {
            let _ = wake.send(());
        };
        let mut runtime = Runtime::new(store, EngineOptions::default(), waker).unwrap();
        runtime.allow_inline_commits(inline);
        runtime.submit(Input::Hosted(vec![ServedQueue {
            task_queue: Arc::from("default"),
            workflow_types: vec![Arc::from("audit")],
            maximum_concurrent_activities: 1_000,
            ..ServedQueue::default()
        }]));
        Self {
            runtime,
            woken,
            tasks: 0,
        }
    }

    fn start(&mut self, number: u64) {
        let mut id = [7; 16];
        id[8..].copy_from_slice(&number.to_be_bytes());
        let start = StartRun {
            run: RunId(id),
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
        let body = MessageBody::Start(Box::new(start));
        self.runtime
            .send(MessageId(format!("s{number}")), None, body);
    }

    /// Lives until no run is open; gives the steps a second.
    fn run(&mut self, workflow: support::Workflow) -> f64 {
        let began = Instant::now();
        let before = self.tasks;
        loop {
            let work = self.runtime.pump();
            let idle = work.is_empty();
            for turn in work.turns {
                self.runtime.submit(Input::Turn(step(workflow, turn)));
            }
            for task in work.tasks {
                self.tasks += 1;
                let outcome = TaskOutcome::Completed {
                    result: payload("ok"),
                };
                self.runtime.submit(Input::Task(TaskReport {
                    id: task.id,
                    nonce: task.nonce,
                    outcome,
                }));
            }
            if work.commit_inline {
                self.runtime.commit_inline();
            } else if idle {
                if self.runtime.engine().open_runs() == 0 && self.tasks > before {
                    let steps = u32::try_from(self.tasks - before).unwrap_or(u32::MAX);
                    return f64::from(steps) / began.elapsed().as_secs_f64();
                }
                let _ = self.woken.recv_timeout(Duration::from_secs(1));
            }
        }
    }
}

fn local(name: &str) -> (LocalStore, PathBuf) {
    let base = std::env::var_os("PERDURE_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(format!("perdure-commit-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    let store = LocalStore::open_owner(&folder.join("app.db"), Standby::Refuse).unwrap();
    (store, folder)
}

fn disk(name: &str, inline: bool, runs: u64, workflow: support::Workflow) {
    let mut best = 0f64;
    for round in 0..3 {
        let (store, folder) = local(name);
        let mut host = Host::new(store, inline);
        for number in 0..runs {
            host.start(round * runs + number);
        }
        best = best.max(host.run(workflow));
        host.runtime.close();
        std::fs::remove_dir_all(&folder).unwrap();
    }
    println!("{name}: {best:.0} steps/s");
}

/// A store that keeps nothing, so that only the engine's own cost is left.
struct NoStore;

impl Store for NoStore {
    fn epoch(&self) -> u64 {
        1
    }

    fn append(&mut self, group: &[Append]) -> Result<Vec<Result<(), AppendError>>, StoreError> {
        Ok(group.iter().map(|_| Ok(())).collect())
    }

    fn read(&self, _: RunId, _: u64) -> Result<Vec<Bytes>, StoreError> {
        Ok(Vec::new())
    }

    fn search(&self, _: &Search) -> Result<Vec<RunSummary>, StoreError> {
        Ok(Vec::new())
    }

    fn count(&self, _: &Search) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn recover(&self) -> Result<Recovery, StoreError> {
        Ok(Recovery::default())
    }

    fn post(&mut self, _: &InboxMessage) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn inbox(&self, _: Option<&MessageId>) -> Result<Vec<InboxMessage>, StoreError> {
        Ok(Vec::new())
    }

    fn discard(&mut self, _: Option<RunId>, _: &MessageId) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn started_by(&self, _: &MessageId) -> Result<Option<RunId>, StoreError> {
        Ok(None)
    }

    fn describe(&self, _: RunId) -> Result<Option<RunSummary>, StoreError> {
        Ok(None)
    }

    fn list(&self, _: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        Ok(Vec::new())
    }

    fn retain(&mut self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// What this thread has used of a processor: a busy machine does not blur it.
fn processor_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn main() {
    for (name, runs) in [("engine_1x1000", 1), ("engine_500x10", 500)] {
        let workflow = if runs == 1 {
            steps::<2000>
        } else {
            steps::<20>
        };
        let mut host = Host::new(NoStore, true);
        let mut best = f64::MAX;
        for round in 0..10 {
            (0..runs).for_each(|number| host.start(round * runs + number));
            let (before, began) = (host.tasks, processor_ns());
            host.run(workflow);
            let steps = u32::try_from(host.tasks - before).unwrap_or(u32::MAX);
            best = best.min((processor_ns() - began) / f64::from(steps));
        }
        println!("{name}: {best:.0} ns of processor a step, machine and scripted host included");
    }
    disk("disk_1x1000_inline", true, 1, steps::<2000>);
    disk("disk_1x1000_thread", false, 1, steps::<2000>);
    disk("disk_500x10", true, 500, steps::<20>);
}
