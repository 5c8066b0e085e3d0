//! What waits for a turn, and the order in which a turn delivers it.

use perdure_history::{Event, MessageId, RunId, TaskId, Timestamp};

use crate::asks::Asker;
use crate::closing::ClosingRequest;
use crate::effect::ReplyTo;
use crate::run::Run;
use crate::starts::Rival;

/// One event that no turn has delivered.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) event: Event,
    pub(crate) about: Delivered,
}

/// What is known of an event besides what it says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) received_at: Timestamp,
    /// The id under which it is consumed; absent in results and timers that no inbox holds.
    pub(crate) message_id: Option<MessageId>,
    pub(crate) reply_to: Option<ReplyTo>,
    /// The run that waits to hear of it.
    pub(crate) asker: Option<Asker>,
    /// Whether it is in the store's inbox.
    pub(crate) in_inbox: bool,
    /// The start that brought it to a run that was open already. It is answered, and leaves the
    /// inbox, once what it brought is durable; it starts a run if this one closes before.
    pub(crate) carrier: Option<Box<Rival>>,
    /// Whether it is the firing of a timer, which stays due until a turn has recorded it.
    pub(crate) timer: bool,
    /// Whether the codec has refused it: it waits in memory alone.
    pub(crate) unstorable: bool,
    /// With a codec, the event that the turn was given: what it records may be refused as a whole.
    pub(crate) event: Option<Box<Event>>,
}

impl Pending {
    /// An event without a sender who waits: a result, a timeout.
    pub(crate) fn internal(event: Event, received_at: Timestamp) -> Self {
        Self {
            event,
            about: Delivered {
                received_at,
                ..Delivered::default()
            },
        }
    }

    /// The id under which the event goes to the inbox.
    pub(crate) fn inbox_id(&self, run: RunId) -> Option<MessageId> {
        if let Some(id) = &self.about.message_id {
            return Some(id.clone());
        }
        match &self.event {
            Event::RunStarted(started) => Some(started.message_id.clone()),
            Event::ActivityCompleted {
                command_n, attempt, ..
            }
            | Event::ActivityFailed {
                command_n, attempt, ..
            }
            | Event::ActivityCancelled {
                command_n, attempt, ..
            } => {
                let task = TaskId {
                    run,
                    n: *command_n,
                    attempt: *attempt,
                };
                Some(MessageId(task.to_string()))
            }
            _ => None,
        }
    }
}

/// The events of one turn, in order, and what is known of each.
#[derive(Debug, Default)]
pub(crate) struct TurnEvents {
    pub(crate) events: Vec<Event>,
    pub(crate) about: Vec<Delivered>,
}

impl TurnEvents {
    /// Keeps a copy of each event, beside what is known of it.
    pub(crate) fn keep_copies(&mut self) {
        for (event, about) in self.events.iter().zip(&mut self.about) {
            about.event = Some(Box::new(event.clone()));
        }
    }

    fn push(&mut self, event: Event, about: Delivered) {
        self.events.push(event);
        self.about.push(about);
    }
}

/// Takes what the next turn delivers: before an event received at t all timers due by t, at most
/// `limit` events. A start is delivered alone.
pub(crate) fn take_turn_events(run: &mut Run, limit: usize) -> TurnEvents {
    let mut turn = TurnEvents::default();
    if let Some(Pending {
        event: Event::RunStarted(_),
        ..
    }) = run.pending.front()
    {
        if let Some(start) = run.pending.pop_front() {
            turn.push(start.event, start.about);
        }
        return turn;
    }
    for failure in run.take_unshown() {
        turn.push(failure.event, failure.about);
    }
    let deadline = run.closing.as_ref().and_then(ClosingRequest::deadline);
    let in_time = |at: &Timestamp| deadline.is_none_or(|deadline| *at < deadline);
    while turn.events.len() < limit {
        let timer = run.due_timers.first().copied();
        let timer = timer.filter(|(fire_at, _)| in_time(fire_at));
        let received_at = run.pending.front().map(|pending| pending.about.received_at);
        let received_at = received_at.filter(in_time);
        match (timer, received_at) {
            (Some((fire_at, command_n)), received) if received.is_none_or(|at| fire_at <= at) => {
                run.due_timers.pop_first();
                let about = Delivered {
                    received_at: fire_at,
                    timer: true,
                    ..Delivered::default()
                };
                turn.push(Event::TimerFired { command_n }, about);
            }
            (_, Some(_)) => take_pending(run, &mut turn),
            _ => break,
        }
    }
    turn
}

/// Whether something waits that comes before the deadline at which the run is to close.
pub(crate) fn precedes_deadline(run: &Run) -> bool {
    let Some(deadline) = run.closing.as_ref().and_then(ClosingRequest::deadline) else {
        return false;
    };
    let received_at = run.pending.front().map(|pending| pending.about.received_at);
    let due_at = run.due_timers.first().map(|(fire_at, _)| *fire_at);
    received_at
        .into_iter()
        .chain(due_at)
        .any(|at| at < deadline)
}

/// Takes the first pending event, unless it doubles one that is recorded or in this turn.
fn take_pending(run: &mut Run, turn: &mut TurnEvents) {
    let Some(pending) = run.pending.pop_front() else {
        return;
    };
    let double = match (&pending.event, &pending.about.message_id) {
        (
            Event::SignalReceived { .. }
            | Event::UpdateAccepted { .. }
            | Event::CancelRequested { .. },
            Some(id),
        ) => !run.seen.insert(id.clone()),
        _ => false,
    };
    if double {
        run.doubles.push(pending);
    } else {
        turn.push(pending.event, pending.about);
    }
}

/// Puts back, in front, what a cut turn did not deliver.
pub(crate) fn put_back(run: &mut Run, events: Vec<Event>, about: Vec<Delivered>) {
    for (event, mut about) in events.into_iter().zip(about).rev() {
        about.event = None;
        if let Some(id) = &about.message_id {
            run.seen.remove(id);
            run.moves.remove(id);
        }
        match event {
            Event::TimerFired { command_n } if about.timer => {
                run.due_timers.insert((about.received_at, command_n));
            }
            // Told again by the next turn, which reads the history anew.
            Event::VersionChanged { .. } => {}
            Event::ActivityAttemptFailed { .. } | Event::OptionsUpdated { .. } => {
                run.attempt_failures.insert(0, Pending { event, about });
            }
            event => run.pending.push_front(Pending { event, about }),
        }
    }
}

/// The activity of which this is a failed attempt.
pub(crate) fn failed(event: &Event) -> Option<u64> {
    match event {
        Event::ActivityAttemptFailed { command_n, .. } => Some(*command_n),
        _ => None,
    }
}

/// The activity whose outcome this is.
pub(crate) fn ended(event: &Event) -> Option<u64> {
    match event {
        Event::ActivityCompleted { command_n, .. }
        | Event::ActivityFailed { command_n, .. }
        | Event::ActivityCancelled { command_n, .. } => Some(*command_n),
        _ => None,
    }
}
