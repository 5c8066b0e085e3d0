//! Every golden history under `tests/histories` replays, and reads and exports as it always did.
//!
//! `PERDURE_NEW_HISTORIES=1 cargo test -p perdure-machine --test golden` writes the files of cases
//! that have none yet. It never changes a file that is there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use perdure_history::{Record, RecordBody, decode_history, json};
use perdure_machine::Activation;
use support::cases;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/histories")
}

/// Every `<area>/<case>` folder.
fn folders() -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let mut folders: Vec<PathBuf> = children(&root())
        .iter()
        .flat_map(|area| children(area))
        .collect();
    folders.sort();
    folders
}

fn read(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The stored form: a batch a line, in hexadecimal.
fn to_hex(batches: &[Bytes]) -> String {
    let line = |batch: &Bytes| {
        batch
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    batches.iter().map(|batch| line(batch) + "\n").collect()
}

fn from_hex(text: &str) -> Vec<Bytes> {
    let byte = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
    text.lines()
        .map(|line| line.as_bytes().chunks(2).map(byte).collect())
        .collect()
}

/// What workflow code sees when `records` are replayed, a line an activation: the number of its
/// record, the run's time, and what it says.
fn activations(records: Vec<Record>) -> String {
    let mut recorded = records.clone().into_iter().peekable();
    let mut machine = support::replayer(records);
    let mut lines = String::new();
    while let Some(activation) = machine.poll_activation().unwrap() {
        let (n, at) = (machine.position(), machine.now().as_micros());
        lines += &format!("{n} {at} {}\n", describe(&activation));
        // The code of a golden history is its own recorded commands.
        while recorded.next_if(|record| record.n <= n).is_some() {}
        while let Some(record) =
            recorded.next_if(|record| matches!(record.body, RecordBody::Command(_)))
        {
            let RecordBody::Command(command) = record.body else {
                unreachable!()
            };
            machine.submit(command).unwrap();
        }
    }
    if let Some(status) = machine.closed() {
        lines += &format!("closed: {status:?}\n");
    }
    lines
}

fn describe(activation: &Activation) -> String {
    match activation {
        Activation::Start(started) => {
            format!(
                "start {} {}",
                started.workflow_type,
                json_text(&started.arguments)
            )
        }
        Activation::ResolveActivity {
            command_n,
            outcome: Ok(result),
        } => {
            format!(
                "resolve activity {command_n}: returned {}",
                json_text(result)
            )
        }
        Activation::ResolveActivity {
            command_n,
            outcome: Err(failure),
        } => {
            format!(
                "resolve activity {command_n}: failed {}",
                json_text(failure)
            )
        }
        Activation::FireTimer { command_n } => format!("fire timer {command_n}"),
        Activation::Signal { name, arguments } => format!("signal {name} {}", json_text(arguments)),
        Activation::Update {
            name, arguments, ..
        } => format!("update {name} {}", json_text(arguments)),
        Activation::Reset {
            run,
            started,
            reseeds,
        } => {
            let seed = if *reseeds { started.seed } else { 0 };
            format!("reset as {run} {} reseeds {seed}", started.workflow_id)
        }
        Activation::RequestCancel { reason } => format!("request cancel {reason:?}"),
        Activation::ChildStarted { command_n } => format!("child started {command_n}"),
        Activation::ResolveChild { command_n, outcome } => match outcome {
            Ok(result) => format!("resolve child {command_n}: returned {}", json_text(result)),
            Err(failure) => format!("resolve child {command_n}: failed {}", json_text(failure)),
        },
        Activation::ResolveExternal { command_n, outcome } => match outcome {
            Ok(()) => format!("resolve external {command_n}: delivered"),
            Err(failure) => format!(
                "resolve external {command_n}: failed {}",
                json_text(failure)
            ),
        },
        other => panic!("describe {other:?} here"),
    }
}

fn json_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// The page of a case: its story, and its records by number.
fn page(case: &cases::Case) -> String {
    let mut page = format!("# {}\n\n{}\n\n", case.path, case.story);
    for record in case.history.records() {
        let text = serde_json::to_string(&record.body).unwrap();
        let kind = text
            .split("\"kind\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let name = kind.unwrap().replace('_', " ");
        match record.body {
            RecordBody::Event(_) => page += &format!("- {}: {name}\n", record.n),
            RecordBody::Command(_) => page += &format!("  - {}: {name}\n", record.n),
        }
    }
    page
}

fn write_new(case: &cases::Case) {
    let folder = root().join(case.path);
    if folder.exists() || std::env::var_os("PERDURE_NEW_HISTORIES").is_none() {
        return;
    }
    fs::create_dir_all(&folder).unwrap();
    let batches = case.history.batches();
    let run = perdure_history::testing::HistoryBuilder::RUN;
    for (name, text) in [
        ("README.md", page(case)),
        ("history.jsonl", json::export(run, &batches).unwrap()),
        ("history.hex", to_hex(&batches)),
        ("activations.txt", activations(case.history.records())),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn every_case_has_its_golden_history() {
    let built = cases::all();
    built.iter().for_each(write_new);
    for case in &built {
        let golden = read(&root().join(case.path), "history.hex");
        assert_eq!(to_hex(&case.history.batches()), golden, "{}", case.path);
    }
    assert!(folders().len() >= built.len());
}

#[test]
fn every_golden_history_reads_exports_and_imports_as_it_always_did() {
    for folder in folders() {
        let batches = from_hex(&read(&folder, "history.hex"));
        let text = read(&folder, "history.jsonl");
        let (run, imported) = json::import(&text).unwrap();
        assert_eq!(imported, batches, "{}", folder.display());
        assert_eq!(
            json::export(run, &batches),
            Ok(text),
            "{}",
            folder.display()
        );
    }
}

#[test]
fn every_golden_history_replays_as_it_always_did() {
    for folder in folders() {
        let (run, _) = json::import(&read(&folder, "history.jsonl")).unwrap();
        let batches = from_hex(&read(&folder, "history.hex"));
        let records = decode_history(run, &batches).unwrap();
        let expected = read(&folder, "activations.txt");
        assert_eq!(activations(records), expected, "{}", folder.display());
    }
}

#[test]
fn a_page_names_every_record() {
    for case in cases::all() {
        assert_eq!(page(&case), read(&root().join(case.path), "README.md"));
    }
}
