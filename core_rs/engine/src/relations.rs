//! What the write of a run holds for other runs.

use perdure_history::Timestamp;
use perdure_store::Append;

use crate::asks::Outgoing;
use crate::commit::{Commit, Written};
use crate::run::Run;

/// What a write holds for other runs.
pub(crate) fn relate(
    run: &mut Run,
    written: &Written,
    append: &mut Append,
    commit: &mut Commit,
    now: Timestamp,
) {
    let begins = append.create.is_some();
    let closed = commit.closed.as_deref();
    let mut doubles = std::mem::take(&mut run.doubles);
    let mut pending = std::mem::take(&mut run.pending);
    let mut outgoing = Outgoing {
        run,
        append,
        posts: &mut commit.posts,
        at: now,
    };
    outgoing.asks(&written.effects, &written.records, closed.is_some());
    outgoing.answers(commit.delivered.iter_mut());
    outgoing.answers(doubles.iter_mut().map(|double| &mut double.about));
    let kept = pending.iter_mut().map(|pending| &mut pending.about);
    outgoing.answers(kept.filter(|about| about.in_inbox));
    if begins {
        outgoing.begun();
    }
    if let Some(closed) = closed {
        let last_n = written.records.last().map_or(0, |record| record.n);
        outgoing.closed(closed, last_n);
    }
    run.doubles = doubles;
    run.pending = pending;
}
