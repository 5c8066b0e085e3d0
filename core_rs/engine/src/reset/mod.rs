//! Runs that go on from a copy of another one's history, up to an event of it.
//!
//! | the run asked for | a reset | a fork |
//! |---|---|---|
//! | open | it is frozen and read; the write that closes it has the copy in its outbox | read |
//! | closed | read; one write makes the new run | read; one write makes the new run |
//! | unknown | refused | refused |
//!
//! The copy in an outbox is a start: it leaves the inbox with the write that makes its run. So a
//! crash at any point finds either the request, or the copy, or the new run; and the same request
//! again finds the run that it made.

pub(crate) mod codec;
mod copy;
mod plan;

use bytes::Bytes;
use perdure_history::{Batch, Fork, HistoryReader, MessageId, Payload, Record, RunId, Timestamp};
use perdure_store::StoreError;
use rustc_hash::FxHashSet;

pub(crate) use self::copy::Copy;
use crate::asks;
use crate::closing::ClosingRequest;
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::loading;
use crate::options;
use crate::patches::Patches;
use crate::payload_codec::Seal;
use crate::pending::{self, Pending};
use crate::run::{Phase, Run};

/// A run to be made from a copy of another one's history.
#[derive(Clone, Debug, PartialEq)]
pub struct ResetRun {
    /// The run whose history is copied.
    pub from: RunId,
    /// The new run's id (UUIDv7).
    pub run: RunId,
    /// Everything before this event is copied.
    pub event_n: u64,
    /// A text for people.
    pub reason: String,
    /// Results by the number of the activity's command, in place of what is recorded.
    pub results: Vec<(u64, Payload)>,
    /// Whether signals and updates that came after the point are delivered again.
    pub keeps_messages: bool,
    /// What sets the new run apart when it is a fork, and the old one goes on; absent in a reset.
    pub fork: Option<Fork>,
}

/// A request, while the history is read.
#[derive(Debug)]
pub(crate) struct ResetQuestion {
    request: ResetRun,
    waiters: Vec<ReplyTo>,
}

/// What the store has for a request.
#[derive(Debug)]
pub struct ResetFound {
    /// The run that the very same request has made.
    pub made: Option<RunId>,
    /// The encoded batches of the run asked for; none when there is no such run.
    pub batches: Vec<Bytes>,
}

impl Engine {
    /// Handles a request for a reset or a fork.
    pub(crate) fn reset(
        &mut self,
        message_id: MessageId,
        request: ResetRun,
        reply_to: Option<ReplyTo>,
        now: Timestamp,
    ) {
        if let Some(made) = self.with_run(request.run, |_, run| run.create.is_none()) {
            if made {
                // An engine may have ended between the write of the run and taking it out.
                let run = Some(request.from);
                self.context.effect(Effect::Consumed { run, message_id });
            }
            if let Some(to) = reply_to {
                self.answer_made(request.run, to);
            }
            return;
        }
        if let Some(asked) = self.resets.get_mut(&message_id) {
            asked.waiters.extend(reply_to);
            return;
        }
        let (from, is_fork) = (request.from, request.fork.is_some());
        let waiters = reply_to.into_iter().collect();
        let question = ResetQuestion { request, waiters };
        self.resets.insert(message_id.clone(), question);
        if is_fork || !self.runs.contains(from) {
            let run = from;
            return self
                .context
                .effect(Effect::ReadForReset { run, message_id });
        }
        self.with_run(from, |context, run| {
            run.resets.push_back(message_id);
            context.advance(run, now);
        });
    }

    /// The history for a request has been read.
    pub(crate) fn reset_read(
        &mut self,
        from: RunId,
        message_id: MessageId,
        outcome: Result<ResetFound, StoreError>,
        now: Timestamp,
    ) {
        let Some(ResetQuestion { request, waiters }) = self.resets.remove(&message_id) else {
            return;
        };
        let thawed = self.with_run(from, |_, run| thaw(run, &message_id));
        let frozen = thawed == Some(true);
        match self.plan_copy(&message_id, &request, outcome, frozen, now) {
            Ok((copy, read)) => {
                let copy = Copy { waiters, ..copy };
                if frozen {
                    self.with_run(from, |context, run| context.close_for(run, copy, read, now));
                } else {
                    self.make_copy(copy, now);
                }
            }
            Err(answered) => {
                let Answered { reply, is_final } = *answered;
                // Who was told no must not find later that it was done.
                let is_final = is_final || !waiters.is_empty();
                for to in waiters {
                    self.context.reply(to, reply.clone());
                }
                if is_final {
                    let run = Some(from);
                    self.context.effect(Effect::Consumed { run, message_id });
                }
                self.with_run(from, |context, run| context.advance(run, now));
            }
        }
    }

    /// The copy to make, or the answer.
    fn plan_copy(
        &mut self,
        message_id: &MessageId,
        request: &ResetRun,
        outcome: Result<ResetFound, StoreError>,
        frozen: bool,
        now: Timestamp,
    ) -> Result<(Copy, Read), Box<Answered>> {
        let run = request.from;
        let found = outcome.map_err(|error| match error {
            StoreError::Damaged { .. } => Answered::last(damaged(run, &error)),
            other => {
                let reason = Bytes::from(other.to_string());
                let reply = Reply::Refused { reason };
                Box::new(Answered {
                    reply,
                    is_final: false,
                })
            }
        })?;
        if let Some(made) = found.made {
            return Err(Answered::last(Reply::Started { run: made }));
        }
        if found.batches.is_empty() && !self.runs.contains(run) {
            return Err(Answered::last(Reply::NotFound { run }));
        }
        let read = Read::of(run, &found.batches, &self.context.options.seal);
        let read = read.map_err(|error| Answered::last(damaged(run, &error)))?;
        let refused = |reason| Answered::last(Reply::ResetRefused { run, reason });
        let plan = plan::plan(message_id, request, &read.records, now).map_err(refused)?;
        let given = plan.messages.iter();
        let given = given.filter_map(|one| pending::ended(&one.event));
        let copy = Copy {
            run: request.run,
            message_id: message_id.clone(),
            records: plan.records,
            ended: given.collect(),
            messages: plan.messages,
            keeps_messages: request.keeps_messages,
            waiters: Vec::new(),
            asked_of: (!frozen).then_some(run),
        };
        Ok((copy, read))
    }
}

/// Why no copy is made.
struct Answered {
    reply: Reply,
    /// Whether the request is over with it; else it is asked again after a restart.
    is_final: bool,
}

impl Answered {
    fn last(reply: Reply) -> Box<Self> {
        Box::new(Self {
            reply,
            is_final: true,
        })
    }
}

fn damaged(run: RunId, error: &dyn std::fmt::Display) -> Reply {
    let reason = error.to_string();
    Reply::Damaged { run, reason }
}

/// A run that is frozen for this request may go on.
fn thaw(run: &mut Run, message_id: &MessageId) -> bool {
    let frozen = matches!(run.phase, Phase::Loading) && run.resets.front() == Some(message_id);
    if frozen {
        run.resets.pop_front();
        run.phase = Phase::Idle;
    }
    frozen
}

/// A whole history, and where its chain ends.
pub(crate) struct Read {
    records: Vec<Record>,
    last_hash: [u8; 16],
}

impl Read {
    fn of(
        run: RunId,
        batches: &[Bytes],
        seal: &Seal,
    ) -> Result<Self, perdure_history::HistoryError> {
        let mut reader = HistoryReader::new(run);
        let mut records = Vec::new();
        for batch in batches {
            let _head: Batch = reader.read_into(batch, &mut records)?;
        }
        seal.open_records(&mut records);
        Ok(Self {
            records,
            last_hash: reader.last_hash(),
        })
    }
}

impl Context {
    /// Freezes a run until its history is read for a reset.
    pub(crate) fn read_for_reset(&mut self, run: &mut Run) {
        let Some(message_id) = run.resets.front().cloned() else {
            return;
        };
        run.phase = Phase::Loading;
        let run = run.id;
        self.effect(Effect::ReadForReset { run, message_id });
    }

    /// A run closed, or was lost, before it could be frozen: what it is to be reset to is read all
    /// the same.
    pub(crate) fn reset_closed(&mut self, run: &mut Run) {
        for message_id in run.resets.drain(..) {
            let run = run.id;
            self.effects
                .push_back(Effect::ReadForReset { run, message_id });
        }
    }

    /// The request that made a run is over.
    pub(crate) fn let_go_of_request(&mut self, run: &mut Run) {
        if let (Some(from), Some(message_id)) = (run.asked_of.take(), run.started_by.clone()) {
            let run = Some(from);
            self.effect(Effect::Consumed { run, message_id });
        }
    }

    /// Closes a run, which goes on from a copy.
    fn close_for(&mut self, run: &mut Run, copy: Copy, read: Read, now: Timestamp) {
        if run.tail.hash.is_none() {
            run.tail.hash = Some(read.last_hash);
            run.tail.at = read.records.last().map_or(run.tail.at, |last| last.at);
            run.children = asks::open_children(&read.records);
            run.patches = Patches::of_history(&read.records);
            run.moves = options::moves_in(&read.records).collect();
        }
        if run.parent.is_none() {
            let started = perdure_history::RunStarted::of_history(&read.records);
            run.parent = started.and_then(|started| started.parent.map(Box::new));
        }
        let recorded: FxHashSet<MessageId> = read
            .records
            .iter()
            .filter_map(loading::message_id)
            .collect();
        let is_double = |one: &Pending| {
            let id = one.about.message_id.as_ref();
            id.is_some_and(|id| recorded.contains(id))
        };
        let (doubles, pending): (Vec<_>, Vec<_>) = run.pending.drain(..).partition(is_double);
        run.doubles.extend(doubles);
        run.pending.extend(pending);
        let closed_for = ClosingRequest::Terminate {
            message_id: copy.message_id.clone(),
            reason: copy.closing_reason(),
            reply_to: None,
            next_run_id: Some(copy.run),
        };
        // What came while the history was read hears of the end like any late message.
        let earlier = run.closing.replace(closed_for);
        run.late.extend(earlier.and_then(ClosingRequest::too_late));
        // A move would change a run that is over, and not the one that goes on.
        let moves = run.take_moves();
        run.late.extend(moves);
        run.copy = Some(Box::new(copy));
        self.advance(run, now);
    }
}
