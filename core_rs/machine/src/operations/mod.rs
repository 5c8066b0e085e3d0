//! What a run has open: one file an operation, each headed by its transition table.
//!
//! Only open operations are kept. A completion for one that is not open does not fit; that is all
//! the machine needs to know of the operations that are over, so a live run costs what it has
//! outstanding, not what it has done.

pub(crate) mod activity;
pub(crate) mod child;
pub(crate) mod external;
pub(crate) mod patch;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod timer;
pub(crate) mod update;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use perdure_history::{Command, MessageId};

use self::activity::Activity;
use self::child::Child;
use self::external::External;
use self::timer::Timer;

/// Why an input does not fit the state of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The run is closed.
    RunClosed,
    /// The run has not begun, or has begun already.
    Start,
    /// The command is not open: never issued, another sort, already completed or taken back.
    NotOpen { command_n: u64 },
}

impl Misfit {
    /// The command it is about; the run itself is spoken of by its first record.
    pub(crate) fn command_n(self) -> u64 {
        match self {
            Self::NotOpen { command_n } => command_n,
            Self::RunClosed | Self::Start => 1,
        }
    }
}

/// One open operation.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Activity(Activity),
    Timer(Timer),
    Child(Child),
    External(External),
    /// An update with this id; it is known by the number of the event that accepted it.
    Update(MessageId),
}

impl Operation {
    /// The command that opened it; an update is opened by an event.
    pub(crate) fn command(&self) -> Option<Command> {
        match self {
            Self::Activity(activity) => Some(activity.command()),
            Self::Timer(timer) => Some(timer.command()),
            Self::Child(child) => Some(child.command()),
            Self::External(message) => Some(message.command()),
            Self::Update(_) => None,
        }
    }
}

/// The open operations of a run by the number of the command that opened them.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    open: BTreeMap<u64, Operation>,
    /// What the operations were before the event being delivered, newest last; only while live.
    changes: Vec<(u64, Option<Operation>)>,
    keeps_changes: bool,
    /// Commands that the code took back while replaying: an older engine may have recorded what
    /// the worker answered afterwards, which is skipped and not a contradiction.
    taken_back: BTreeSet<u64>,
}

impl Operations {
    pub(crate) fn get(&self, n: u64) -> Option<&Operation> {
        self.open.get(&n)
    }

    /// The numbers of the commands that opened what is open, ascending.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        let by_command = |(n, operation): (&u64, &Operation)| match operation {
            Operation::Update(_) => None,
            _ => Some(*n),
        };
        self.open.iter().filter_map(by_command)
    }

    pub(crate) fn put(&mut self, n: u64, operation: Operation) {
        let before = self.open.insert(n, operation);
        if self.keeps_changes {
            self.changes.push((n, before));
        }
    }

    pub(crate) fn remove(&mut self, n: u64) {
        let before = self.open.remove(&n);
        if self.keeps_changes {
            self.changes.push((n, before));
        }
    }

    /// Removes an operation whose completion may still follow in recorded history.
    pub(crate) fn take_back(&mut self, n: u64) {
        self.remove(n);
        if !self.keeps_changes {
            self.taken_back.insert(n);
        }
    }

    pub(crate) fn was_taken_back(&self, n: u64) -> bool {
        self.taken_back.contains(&n)
    }

    /// Forgets what only replay needs.
    pub(crate) fn end_replay(&mut self) {
        self.taken_back.clear();
    }

    /// From here on, [`Operations::restore`] brings back the present state.
    pub(crate) fn checkpoint(&mut self) {
        self.keeps_changes = true;
        self.changes.clear();
    }

    /// Ends the checkpoint and keeps what changed.
    pub(crate) fn commit(&mut self) {
        self.keeps_changes = false;
        self.changes = Vec::new();
    }

    /// Goes back to the checkpoint.
    pub(crate) fn restore(&mut self) {
        while let Some((n, before)) = self.changes.pop() {
            match before {
                Some(operation) => self.open.insert(n, operation),
                None => self.open.remove(&n),
            };
        }
    }
}
