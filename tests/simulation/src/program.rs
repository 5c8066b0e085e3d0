//! Random workflow programs: what a run does, as a tree.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use perdure_history::{ActivityOptions, CancellationType, Priority, RateLimit, RetryPolicy};

use crate::random::Random;

/// How deep a program nests at most.
const DEPTH_MAX: usize = 3;

/// One step of a program.
#[derive(Clone, Debug)]
pub enum Node {
    /// Call an activity and wait.
    Activity(Rc<Plan>),
    /// Sleep.
    Timer(Duration),
    /// One after the other; a failure ends it.
    Sequence(Rc<[Node]>),
    /// All at once; done when all are.
    Parallel(Rc<[Node]>),
    /// All at once; the first decides, and the others are cancelled.
    Race(Rc<[Node]>),
    /// Wait for a signal of this name.
    Signal(u8),
    /// A failure of this step is no failure of the program.
    Tolerate(Rc<Node>),
    /// A bug in code older than this version.
    Bug(u32),
}

/// An activity call.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What its worker does.
    pub behaviour: Behaviour,
    /// Its name, which says the behaviour.
    pub name: Arc<str>,
    /// Which service hosts it; absent for a local one.
    pub service: Option<Arc<str>>,
    /// How it is run.
    pub options: ActivityOptions,
}

/// What a worker does with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It succeeds.
    Succeed,
    /// It fails until this attempt.
    FailUntil(u32),
    /// It always fails, in a way that is not retried.
    FailForGood,
    /// It beats, and then succeeds.
    Beat,
    /// It beats, and fails; the next attempt fails without a beat.
    BeatAndFail,
    /// It is silent for ever at the first attempt.
    Hang,
    /// It answers twice.
    AnswerTwice,
    /// It also answers with a nonce that is not its own.
    Forge,
    /// No worker begins it at first.
    Refuse,
    /// Its worker is lost at the first attempt.
    LoseWorker,
}

impl Behaviour {
    /// How often it beats in this attempt.
    #[must_use]
    pub fn beats(self, attempt: u32) -> u32 {
        match self {
            Self::Beat => 3,
            Self::BeatAndFail if attempt == 1 => 3,
            _ => 0,
        }
    }

    /// The first attempt that does not fail.
    #[must_use]
    pub fn succeeds_at(self) -> u32 {
        match self {
            Self::FailUntil(attempt) => attempt,
            Self::BeatAndFail => 3,
            _ => 1,
        }
    }
}

const BEHAVIOURS: [(Behaviour, &str); 10] = [
    (Behaviour::Succeed, "succeed"),
    (Behaviour::FailUntil(3), "fail_until_3"),
    (Behaviour::FailForGood, "fail_for_good"),
    (Behaviour::Beat, "beat"),
    (Behaviour::BeatAndFail, "beat_and_fail"),
    (Behaviour::Hang, "hang"),
    (Behaviour::AnswerTwice, "answer_twice"),
    (Behaviour::Forge, "forge"),
    (Behaviour::Refuse, "refuse"),
    (Behaviour::LoseWorker, "lose_worker"),
];

/// The services of this world.
pub const SERVICES: [&str; 2] = ["alpha", "beta"];

/// What the activity of this name does.
#[must_use]
pub fn behaviour(name: &str) -> Behaviour {
    let found = BEHAVIOURS.iter().find(|(_, known)| *known == name);
    found.map_or(Behaviour::Succeed, |(behaviour, _)| *behaviour)
}

/// A random program.
pub fn program(random: &mut Random) -> Node {
    let steps = 1 + random.below(4);
    let steps: Rc<[Node]> = (0..steps).map(|_| node(random, 0)).collect();
    Node::Sequence(steps)
}

fn node(random: &mut Random, depth: usize) -> Node {
    let leaf = depth >= DEPTH_MAX;
    match random.below(if leaf { 7 } else { 12 }) {
        0..=3 => Node::Activity(Rc::new(plan(random))),
        4 => Node::Timer(Duration::from_millis(random.below(20_000) as u64)),
        5 => Node::Signal(u8::try_from(random.below(3)).unwrap_or(0)),
        6 if random.percent(15) => Node::Bug(1),
        6 => Node::Timer(Duration::from_secs(random.below(120) as u64)),
        7 | 8 => Node::Parallel(nodes(random, depth)),
        9 => Node::Race(nodes(random, depth)),
        10 => Node::Sequence(nodes(random, depth)),
        _ => Node::Tolerate(Rc::new(node(random, depth + 1))),
    }
}

fn nodes(random: &mut Random, depth: usize) -> Rc<[Node]> {
    let count = 2 + random.below(3);
    (0..count).map(|_| node(random, depth + 1)).collect()
}

fn plan(random: &mut Random) -> Plan {
    let (behaviour, name) = BEHAVIOURS
        .get(random.below(BEHAVIOURS.len()))
        .copied()
        .unwrap_or((Behaviour::Succeed, "succeed"));
    let service = random.percent(50).then(|| {
        Arc::from(
            SERVICES
                .get(random.below(SERVICES.len()))
                .copied()
                .unwrap_or("alpha"),
        )
    });
    let cancellation_type = match random.below(3) {
        0 => CancellationType::Try,
        1 => CancellationType::WaitCompleted,
        _ => CancellationType::Abandon,
    };
    let retry_policy = RetryPolicy {
        maximum_attempts: u32::try_from(random.below(4)).unwrap_or(0) * 2,
        initial_interval: Duration::from_millis(100 + random.below(2_000) as u64),
        ..RetryPolicy::default()
    };
    // Of what is drawn anyway: the kept seeds stay what they were.
    let drawn = retry_policy.initial_interval.subsec_millis();
    let options = ActivityOptions {
        priority: priority(drawn),
        rate_limits: rate_limits(drawn),
        start_to_close_timeout: Some(Duration::from_secs(5 + random.below(30) as u64)),
        schedule_to_close_timeout: random
            .percent(15)
            .then(|| Duration::from_secs(20 + random.below(100) as u64)),
        schedule_to_start_timeout: random.percent(10).then(|| Duration::from_secs(20)),
        heartbeat_timeout: random.percent(20).then(|| Duration::from_secs(3)),
        retry_policy,
        cancellation_type,
        ..ActivityOptions::default()
    };
    Plan {
        behaviour,
        name: Arc::from(name),
        service,
        options,
    }
}

/// What a third of the calls share with others.
fn rate_limits(drawn: u32) -> Vec<RateLimit> {
    let keys = ["requests", "tokens"];
    let shared = keys.iter().take(drawn as usize % 3).enumerate();
    let limits = shared.filter(|_| drawn.is_multiple_of(2));
    limits
        .map(|(place, key)| RateLimit {
            key: Arc::from(*key),
            limit: 6 + 20 * place as u64,
            period: Duration::from_secs(5),
            units: 1 + 3 * place as u64,
        })
        .collect()
}

/// One of the priorities, fairness keys and weights there are, and none of each.
fn priority(drawn: u32) -> Priority {
    let priority_key = u8::try_from(drawn % 6).ok().filter(|key| *key > 0);
    let fairness_key = ["tenant-1", "tenant-2"].get(drawn as usize / 6 % 3);
    Priority {
        priority_key,
        fairness_key: fairness_key.map(|key| Arc::from(*key)),
        fairness_weight: (drawn.is_multiple_of(4)).then_some(2.5),
    }
}
