//! A program as it runs on a machine: the simulation's stand-in for workflow code.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{
    CancellationType, Command, Failure, FailureKind, Payload, ScheduleActivity, Site,
};
use perdure_machine::{Activation, Machine, MachineError, Submitted};

use crate::program::{Node, Plan};
use crate::random::digest;

/// What a step came to: a value, or a failure, each as a digest of all that was seen.
pub type Value = Result<u64, u64>;

const CANCELLED: Value = Err(0xCA);

/// Why a run cannot be stepped on.
#[derive(Debug)]
pub enum Stop {
    /// A bug in this version of the code.
    Bug,
    /// The machine refused.
    Machine(MachineError),
    /// Replay gave other arguments than were recorded.
    ArgumentsDiffer,
}

impl From<MachineError> for Stop {
    fn from(error: MachineError) -> Self {
        Self::Machine(error)
    }
}

/// A running step.
#[derive(Clone, Debug)]
enum Process {
    Activity {
        n: u64,
        plan: Rc<Plan>,
        cancelling: bool,
    },
    Timer {
        n: u64,
    },
    Signal(u8),
    Sequence {
        nodes: Rc<[Node]>,
        next: usize,
        current: Box<Process>,
        value: u64,
        cancelled: bool,
    },
    Parallel(Vec<Process>),
    Race {
        children: Vec<Process>,
        winner: Option<(usize, Value)>,
    },
    Tolerate(Box<Process>),
    Done(Value),
}

struct Scope<'a> {
    machine: &'a mut Machine,
    signals: &'a mut BTreeMap<u8, VecDeque<u64>>,
    version: u32,
}

enum News<'a> {
    Resolved {
        n: u64,
        outcome: &'a Result<Payload, Failure>,
    },
    Fired {
        n: u64,
    },
    Signal,
}

/// One instance of a program.
#[derive(Clone, Debug)]
pub struct Instance {
    program: Node,
    root: Option<Process>,
    signals: BTreeMap<u8, VecDeque<u64>>,
    /// What it was told, in order.
    seen: Vec<u64>,
    /// The outcomes it was told, by command.
    pub outcomes: BTreeMap<u64, u64>,
    cancelled: bool,
    closed: bool,
}

impl Instance {
    /// An instance of which nothing has run.
    #[must_use]
    pub fn new(program: Node) -> Self {
        Self {
            program,
            root: None,
            signals: BTreeMap::new(),
            seen: Vec::new(),
            outcomes: BTreeMap::new(),
            cancelled: false,
            closed: false,
        }
    }

    /// Everything the code could know, as one number.
    #[must_use]
    pub fn state(&self) -> u64 {
        let seen = self.seen.iter().fold(0, |so_far, one| digest(so_far, *one));
        let shape = format!("{:?}{:?}", self.root, self.signals);
        shape
            .bytes()
            .fold(seen, |so_far, byte| digest(so_far, byte.into()))
    }

    /// Runs a machine until nothing is left to deliver.
    ///
    /// # Errors
    /// [`Stop`], and then the instance is to be dropped.
    pub fn step(&mut self, machine: &mut Machine, version: u32) -> Result<(), Stop> {
        while let Some(activation) = machine.poll_activation()? {
            self.deliver(machine, &activation, version)?;
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        machine: &mut Machine,
        activation: &Activation,
        version: u32,
    ) -> Result<(), Stop> {
        if let Activation::Update { arguments, .. } = activation
            && is_refused(arguments)
        {
            // As a validator does: it leaves no trace, and no replay sees it.
            return Ok(machine.reject_update(failure(1))?);
        }
        self.seen.push(words(activation));
        if self.closed {
            return Ok(());
        }
        let mut scope = Scope {
            machine,
            signals: &mut self.signals,
            version,
        };
        match activation {
            Activation::Start(_) => self.root = Some(begin(&self.program, &mut scope)?),
            Activation::ResolveActivity { command_n, outcome } => {
                self.outcomes.insert(*command_n, outcome_digest(outcome));
                let news = News::Resolved {
                    n: *command_n,
                    outcome,
                };
                tell(self.root.as_mut(), &news, &mut scope)?;
            }
            Activation::FireTimer { command_n } => {
                tell(
                    self.root.as_mut(),
                    &News::Fired { n: *command_n },
                    &mut scope,
                )?;
            }
            Activation::Signal { name, arguments } => {
                let name = name.bytes().next().unwrap_or(0);
                let line = scope.signals.entry(name).or_default();
                line.push_back(payload_digest(arguments));
                tell(self.root.as_mut(), &News::Signal, &mut scope)?;
            }
            Activation::Update {
                event_n, arguments, ..
            } => {
                let (event_n, seen) = (*event_n, payload_digest(arguments));
                let command = if seen.is_multiple_of(3) {
                    let failure = failure(seen);
                    Command::FailUpdate { event_n, failure }
                } else {
                    let result = payload(seen);
                    Command::CompleteUpdate { event_n, result }
                };
                submit(scope.machine, command)?;
            }
            Activation::RequestCancel { .. } if !self.cancelled => {
                self.cancelled = true;
                if let Some(root) = &mut self.root {
                    root.cancel(&mut scope)?;
                }
            }
            _ => {}
        }
        self.close_when_done(machine)
    }

    fn close_when_done(&mut self, machine: &mut Machine) -> Result<(), Stop> {
        let Some(Process::Done(value)) = &self.root else {
            return Ok(());
        };
        let command = match value {
            _ if self.cancelled => Command::CancelRun { details: None },
            Ok(value) => Command::CompleteRun {
                result: payload(*value),
            },
            Err(value) => Command::FailRun {
                failure: failure(*value),
                next: None,
            },
        };
        submit(machine, command)?;
        self.closed = true;
        Ok(())
    }
}

/// Whether the code refuses an update with these arguments.
#[must_use]
pub fn is_refused(arguments: &Payload) -> bool {
    payload_digest(arguments).is_multiple_of(4)
}

fn tell(root: Option<&mut Process>, news: &News<'_>, scope: &mut Scope<'_>) -> Result<(), Stop> {
    root.map_or(Ok(()), |root| root.tell(news, scope))
}

fn submit(machine: &mut Machine, command: Command) -> Result<u64, Stop> {
    match machine.submit(command)? {
        Submitted::Accepted { n } => Ok(n),
        Submitted::ArgumentsDiffer { .. } => Err(Stop::ArgumentsDiffer),
    }
}

/// Begins a step, which may be done at once.
fn begin(node: &Node, scope: &mut Scope<'_>) -> Result<Process, Stop> {
    let mut process = match node {
        Node::Activity(plan) => {
            let n = submit(scope.machine, schedule(plan))?;
            Process::Activity {
                n,
                plan: Rc::clone(plan),
                cancelling: false,
            }
        }
        Node::Timer(span) => {
            let fire_at = scope.machine.now() + *span;
            let site = Arc::new(Site::default());
            Process::Timer {
                n: submit(scope.machine, Command::StartTimer { fire_at, site })?,
            }
        }
        Node::Signal(name) => Process::Signal(*name),
        Node::Sequence(nodes) => Process::Sequence {
            nodes: Rc::clone(nodes),
            next: 0,
            current: Box::new(Process::Done(Ok(0))),
            value: 0,
            cancelled: false,
        },
        Node::Parallel(nodes) => Process::Parallel(begin_all(nodes, scope)?),
        Node::Race(nodes) => Process::Race {
            children: begin_all(nodes, scope)?,
            winner: None,
        },
        Node::Tolerate(node) => Process::Tolerate(Box::new(begin(node, scope)?)),
        Node::Bug(fixed_in) if scope.version < *fixed_in => return Err(Stop::Bug),
        Node::Bug(_) => Process::Done(Ok(1)),
    };
    process.settle(scope)?;
    Ok(process)
}

fn begin_all(nodes: &[Node], scope: &mut Scope<'_>) -> Result<Vec<Process>, Stop> {
    nodes.iter().map(|node| begin(node, scope)).collect()
}

fn schedule(plan: &Plan) -> Command {
    let arguments = payload(7);
    Command::ScheduleActivity(Arc::new(ScheduleActivity {
        name: Arc::clone(&plan.name),
        service: plan.service.clone(),
        digest: arguments.digest(),
        arguments,
        options: plan.options.clone(),
        site: Arc::new(Site::default()),
        headers: Vec::new(),
    }))
}

impl Process {
    fn done(&self) -> Option<Value> {
        match self {
            Self::Done(value) => Some(*value),
            _ => None,
        }
    }

    fn tell(&mut self, news: &News<'_>, scope: &mut Scope<'_>) -> Result<(), Stop> {
        match (&mut *self, news) {
            (
                Self::Activity { n, .. },
                News::Resolved {
                    n: resolved,
                    outcome,
                },
            ) if *n == *resolved => {
                let value = outcome_digest(outcome);
                *self = Self::Done(if outcome.is_ok() {
                    Ok(value)
                } else {
                    Err(value)
                });
            }
            (Self::Timer { n }, News::Fired { n: fired }) if *n == *fired => {
                *self = Self::Done(Ok(*n));
            }
            (Self::Sequence { current, .. }, _) => current.tell(news, scope)?,
            (Self::Parallel(children) | Self::Race { children, .. }, _) => {
                for child in children {
                    child.tell(news, scope)?;
                }
            }
            (Self::Tolerate(inner), _) => inner.tell(news, scope)?,
            _ => {}
        }
        self.settle(scope)
    }

    /// Draws the consequences of steps that are done.
    fn settle(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        match self {
            Self::Signal(name) => {
                if let Some(value) = scope.signals.get_mut(name).and_then(VecDeque::pop_front) {
                    *self = Self::Done(Ok(value));
                }
            }
            Self::Sequence { .. } => self.settle_sequence(scope)?,
            Self::Parallel(children) => {
                let values: Option<Vec<Value>> = children.iter().map(Self::done).collect();
                if let Some(values) = values {
                    *self = Self::Done(join(&values));
                }
            }
            Self::Race { .. } => self.settle_race(scope)?,
            Self::Tolerate(inner) => {
                if let Some(value) = inner.done() {
                    *self = Self::Done(Ok(value.unwrap_or_else(|failed| digest(3, failed))));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn settle_sequence(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let Self::Sequence {
            nodes,
            next,
            current,
            value,
            cancelled,
        } = self
        else {
            return Ok(());
        };
        loop {
            match current.done() {
                None => return Ok(()),
                Some(Err(failed)) => {
                    *self = Self::Done(Err(digest(*value, failed)));
                    return Ok(());
                }
                Some(Ok(one)) => *value = digest(*value, one),
            }
            let following = if *cancelled { None } else { nodes.get(*next) };
            let Some(node) = following else {
                let value = if *cancelled { CANCELLED } else { Ok(*value) };
                *self = Self::Done(value);
                return Ok(());
            };
            *next += 1;
            **current = begin(node, scope)?;
        }
    }

    fn settle_race(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        let Self::Race { children, winner } = self else {
            return Ok(());
        };
        if winner.is_none() {
            let first = children
                .iter()
                .enumerate()
                .find_map(|(i, one)| Some((i, one.done()?)));
            let Some(first) = first else {
                return Ok(());
            };
            *winner = Some(first);
            for child in &mut *children {
                child.cancel(scope)?;
            }
        }
        if let (Some((index, value)), true) =
            (*winner, children.iter().all(|child| child.done().is_some()))
        {
            let place = index as u64;
            *self = Self::Done(match value {
                Ok(value) => Ok(digest(place, value)),
                Err(value) => Err(digest(place, value)),
            });
        }
        Ok(())
    }

    fn cancel(&mut self, scope: &mut Scope<'_>) -> Result<(), Stop> {
        match self {
            Self::Activity {
                n,
                plan,
                cancelling,
            } => {
                if *cancelling {
                    return Ok(());
                }
                *cancelling = true;
                let ends = plan.options.cancellation_type != CancellationType::WaitCompleted;
                submit(scope.machine, Command::CancelActivity { command_n: *n })?;
                if ends {
                    *self = Self::Done(CANCELLED);
                }
            }
            Self::Timer { n } => {
                submit(scope.machine, Command::CancelTimer { command_n: *n })?;
                *self = Self::Done(CANCELLED);
            }
            Self::Signal(_) => *self = Self::Done(CANCELLED),
            Self::Sequence {
                current, cancelled, ..
            } => {
                *cancelled = true;
                current.cancel(scope)?;
            }
            Self::Parallel(children) => {
                for child in children {
                    child.cancel(scope)?;
                }
            }
            Self::Race { children, winner } => {
                winner.get_or_insert((usize::MAX, CANCELLED));
                for child in children {
                    child.cancel(scope)?;
                }
            }
            Self::Tolerate(inner) => inner.cancel(scope)?,
            Self::Done(_) => return Ok(()),
        }
        self.settle(scope)
    }
}

fn join(values: &[Value]) -> Value {
    let all = values.iter().fold(0, |so_far, value| match value {
        Ok(value) => digest(so_far, *value),
        Err(value) => digest(so_far ^ 1, *value),
    });
    if values.iter().all(Result::is_ok) {
        Ok(all)
    } else {
        Err(all)
    }
}

/// A number as a payload.
#[must_use]
pub fn payload(value: u64) -> Payload {
    Payload(Bytes::copy_from_slice(&value.to_be_bytes()))
}

/// A failure that bears a number.
#[must_use]
pub fn failure(value: u64) -> Failure {
    Failure {
        kind: FailureKind::Application {
            type_name: "Failed".to_owned(),
            details: Some(payload(value)),
            non_retryable: false,
            next_retry_delay: None,
        },
        message: String::new(),
        stack: String::new(),
        cause: None,
    }
}

/// A payload as a number.
#[must_use]
pub fn payload_digest(payload: &Payload) -> u64 {
    payload
        .0
        .iter()
        .fold(0, |so_far, byte| digest(so_far, u64::from(*byte)))
}

/// An outcome as a number.
#[must_use]
pub fn outcome_digest(outcome: &Result<Payload, Failure>) -> u64 {
    match outcome {
        Ok(result) => payload_digest(result),
        Err(failure) => format!("{failure:?}")
            .bytes()
            .fold(1, |so_far, byte| digest(so_far, byte.into())),
    }
}

fn words(activation: &Activation) -> u64 {
    format!("{activation:?}")
        .bytes()
        .fold(2, |so_far, byte| digest(so_far, byte.into()))
}
