//! Sessions: activities that run in one and the same worker, or not at all.
//!
//! An activity of its own begins a session, and is under way for as long as the worker holds the
//! session open.
//!
//! | that activity | what belongs to the session |
//! |---|---|
//! | waits for room | waits with it, in no line |
//! | is under way | begins as any other |
//! | has ended, was lost, or is taken back | begins no more; the workflow takes it back |

use perdure_history::Timestamp;

use crate::activity::{Activity, Stage};
use crate::context::Context;
use crate::run::Run;

impl Activity {
    /// The session to which it belongs, if it does not begin one itself.
    fn session(&self) -> Option<u64> {
        let session = self.schedule.as_ref()?.options.session;
        session.filter(|begun_by| *begun_by > 0)
    }

    /// Whether it is the one that begins a session.
    pub(crate) fn begins_session(&self) -> bool {
        self.schedule
            .as_ref()
            .is_some_and(|asked| asked.options.session == Some(0))
    }
}

/// Whether an activity may begin: it belongs to no session, or to one that is open.
pub(crate) fn may_begin(run: &Run, activity: &Activity) -> bool {
    activity.session().is_none_or(|begun_by| {
        let session = run.activities.get(&begun_by);
        session.is_some_and(|session| session.is_handed() && !session.cancel_requested)
    })
}

impl Context {
    /// A session is open: what waits for it begins.
    pub(crate) fn begin_in_session(&mut self, run: &mut Run, begun_by: u64, now: Timestamp) {
        let begins = |activity: &Activity| activity.begins_session();
        if !run.activities.get(&begun_by).is_some_and(|one| begins(one)) {
            return;
        }
        let waits = |activity: &Activity| {
            activity.stage == Stage::Queued && activity.session() == Some(begun_by)
        };
        for command_n in run.activities_where(waits) {
            self.make_ready(run, command_n, now);
        }
    }
}
