//! What the engine wants done. Effects are data: only the runtime (or the simulation) performs.

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{Failure, MessageId, Payload, RunId, TaskId, Timestamp};
use perdure_machine::effect::ClosedStatus;
use perdure_store::Append;

use crate::input::{ParkReason, Query, Turn};
use crate::task::Task;

/// One thing to perform, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Effect {
    /// Step this run.
    Step(Turn),
    /// Make this durable, then answer `Input::Appended` with the ticket.
    Append {
        /// Names the write in the answer.
        ticket: u64,
        /// The write.
        append: Box<Append>,
    },
    /// Read the run's history from record `from_n`, then answer `Input::Loaded`.
    Load {
        /// The run.
        run: RunId,
        /// The first record needed; [`LAST_RECORD`](crate::LAST_RECORD): only the last.
        from_n: u64,
    },
    /// Hand a task to its route.
    Dispatch(Box<Task>),
    /// Ask the worker that holds the task to cancel it.
    CancelTask {
        /// The attempt.
        task: TaskId,
        /// The service; absent for local activities.
        service: Option<Arc<str>>,
        /// A text for people.
        reason: String,
    },
    /// Ask a service's instances which tasks they hold.
    TakeInventory {
        /// The service.
        service: Arc<str>,
        /// The tasks awaited from before a restart, with their nonces.
        awaited: Vec<(TaskId, u64)>,
    },
    /// Ask the store which run a start message made, then answer `Input::StartFound`.
    FindStart {
        /// The start message.
        message_id: MessageId,
    },
    /// Read a run's history for what became of an update, then answer `Input::UpdateFound`.
    FindUpdate {
        /// The run, open or closed.
        run: RunId,
        /// The update's id.
        message_id: MessageId,
    },
    /// Read a run's history for a reset, and which run the request has made, if any; then answer
    /// `Input::ResetRead`.
    ReadForReset {
        /// The run, open or closed.
        run: RunId,
        /// The request.
        message_id: MessageId,
    },
    /// Answer a client.
    Reply {
        /// Who.
        to: ReplyTo,
        /// What.
        reply: Reply,
    },
    /// Let the live instance of this run answer, before anything else is done with it.
    Query {
        /// The run: committed and idle.
        run: RunId,
        /// What is asked.
        query: Query,
    },
    /// Delete runs that closed before an instant.
    Retain {
        /// The instant.
        closed_before: Timestamp,
    },
    /// Drop the host's instance of this run; its state is committed.
    Evict {
        /// The run.
        run: RunId,
    },
    /// A message will not be delivered by any write (its run is closed, or has it already, or its
    /// start was refused): it may leave the inbox.
    Consumed {
        /// The run it was for; absent in a start.
        run: Option<RunId>,
        /// The message.
        message_id: MessageId,
    },
}

/// Names a waiting client; made by the runtime, given back unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyTo(pub u64);

/// An answer to a client.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// The run was started, and that is durable.
    Started {
        /// The run.
        run: RunId,
    },
    /// Another open run has the workflow id.
    AlreadyStarted {
        /// It.
        run: RunId,
    },
    /// No run of the workflow id is open, and the start's policy does not allow another.
    IdUsed {
        /// Its last run.
        run: RunId,
    },
    /// The message is durable.
    Accepted,
    /// The attempt is over, was never handed out, or has another token.
    ActivityNotFound {
        /// The run asked for.
        run: RunId,
    },
    /// The heartbeat was taken, and the workflow no longer waits for the attempt.
    CancelRequested {
        /// The run.
        run: RunId,
    },
    /// There is no such run.
    NotFound {
        /// The run asked for.
        run: RunId,
    },
    /// The run is closed: it takes no messages.
    Closed {
        /// The run.
        run: RunId,
        /// How it ended.
        status: ClosedStatus,
    },
    /// The run is closed, and this came of it.
    Result {
        /// The run.
        run: RunId,
        /// How it ended.
        status: ClosedStatus,
        /// What it returned, or why not.
        outcome: Result<Payload, Failure>,
        /// The run that goes on from it.
        next_run: Option<RunId>,
    },
    /// The update's handler has ended, and that is durable.
    UpdateEnded {
        /// The run.
        run: RunId,
        /// What it returned, or why not.
        outcome: Result<Payload, Failure>,
    },
    /// The update's validator refused it; nothing of it is recorded.
    UpdateRejected {
        /// The run.
        run: RunId,
        /// Why.
        failure: Failure,
    },
    /// The run has no update of that id.
    UpdateNotFound {
        /// The run.
        run: RunId,
    },
    /// The run cannot be reset, or forked, as it was asked for.
    ResetRefused {
        /// The run.
        run: RunId,
        /// Why, and what can be asked for.
        reason: String,
    },
    /// The run is parked (told to who waits for its result and asked to hear of it).
    Parked {
        /// The run.
        run: RunId,
        /// Why.
        reason: ParkReason,
    },
    /// What the store has of the run cannot be read.
    Damaged {
        /// The run.
        run: RunId,
        /// What the store says, and what to do.
        reason: String,
    },
    /// The payload codec refuses what the message holds: nothing of it is kept.
    Unstorable {
        /// What the codec says.
        reason: String,
    },
    /// The store refused the write.
    Refused {
        /// Bytes for people: the typed append error as text.
        reason: Bytes,
    },
}
