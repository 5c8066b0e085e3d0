//! Queries: a live and idle run is asked as it stands; any other is replayed first. Nothing is
//! delivered for a query and nothing recorded.

use perdure_history::{Payload, RunId, Timestamp};

use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::input::Query;
use crate::run::Run;

impl Engine {
    /// Puts a query in line; of a run that is not open the sender hears how it ended, and can read
    /// its whole history.
    pub(crate) fn query(
        &mut self,
        run: RunId,
        reply_to: Option<ReplyTo>,
        name: String,
        arguments: Payload,
        now: Timestamp,
    ) {
        let Some(reply_to) = reply_to else { return };
        let query = Query {
            reply_to,
            name,
            arguments,
        };
        let found = self.with_run(run, |context, run| {
            run.queries.push(query);
            context.advance(run, now);
        });
        if found.is_none() {
            self.look_up(run, Some(reply_to), false);
        }
    }
}

impl Context {
    /// A parked run answers no query, and neither does one that nobody hosts.
    pub(crate) fn refuse_queries(&mut self, run: &mut Run) {
        if run.queries.is_empty() {
            return;
        }
        if run.delay.is_some() {
            let reason = bytes::Bytes::from_static(b"the run has not begun: ask again later");
            for query in run.queries.drain(..) {
                let reason = reason.clone();
                self.reply(query.reply_to, Reply::Refused { reason });
            }
            return;
        }
        let reason = if let Some(parked) = run.parked.as_ref().filter(|parked| !parked.trying) {
            parked.reason.clone()
        } else if let Err(reason) = self.offer_for(run) {
            reason
        } else {
            return;
        };
        for query in run.queries.drain(..) {
            let reply = Reply::Parked {
                run: run.id,
                reason: reason.clone(),
            };
            self.reply(query.reply_to, reply);
        }
    }

    /// Hands the queries of a live run to the host.
    pub(crate) fn answer_queries(&mut self, run: &mut Run) {
        if run.queries.is_empty() || !run.is_live() {
            return;
        }
        run.used = self.recently_used.touch(run.id);
        for query in run.queries.drain(..) {
            self.effect(Effect::Query { run: run.id, query });
        }
    }
}
