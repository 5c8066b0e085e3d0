//! The order in which callbacks run: asyncio's own, in rounds.
//!
//! A round is what was ready when it began. `call_later(0)` and `call_at(now)` join at the next
//! round's beginning, behind what is ready then, as they do in the standard library.

use std::collections::VecDeque;

use pyo3::prelude::*;

use super::call::Call;
use super::handle::Handle;

#[derive(Default)]
pub(crate) struct ReadyQueue {
    ready: VecDeque<Call>,
    left_in_round: usize,
    due: Vec<Due>,
}

struct Due {
    when: f64,
    handle: Py<Handle>,
}

impl ReadyQueue {
    pub(crate) fn push(&mut self, call: Call) {
        self.ready.push_back(call);
    }

    /// Adds a timer that is due already, so that the run need not be asked for one.
    pub(crate) fn push_due(&mut self, when: f64, handle: Py<Handle>) {
        self.due.push(Due { when, handle });
    }

    pub(crate) fn pop(&mut self) -> Option<Call> {
        if self.left_in_round == 0 {
            if !self.due.is_empty() {
                // The sort is stable: equal times stay in the order of creation.
                self.due
                    .sort_by(|left, right| left.when.total_cmp(&right.when));
                self.ready
                    .extend(self.due.drain(..).map(|due| Call::Handle(due.handle)));
            }
            self.left_in_round = self.ready.len();
        }
        let call = self.ready.pop_front()?;
        self.left_in_round -= 1;
        Some(call)
    }

    /// The handles among what waits.
    pub(crate) fn handles(&self) -> impl Iterator<Item = &Py<Handle>> {
        let ready = self.ready.iter().filter_map(|call| match call {
            Call::Bare { .. } => None,
            Call::Handle(handle) => Some(handle),
        });
        ready.chain(self.due.iter().map(|due| &due.handle))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.due.is_empty()
    }

    pub(crate) fn visit(
        &self,
        visit: &pyo3::gc::PyVisit<'_>,
    ) -> Result<(), pyo3::gc::PyTraverseError> {
        for call in &self.ready {
            match call {
                Call::Bare {
                    callback,
                    argument,
                    context,
                } => {
                    visit.call(callback)?;
                    visit.call(argument)?;
                    visit.call(context)?;
                }
                Call::Handle(handle) => visit.call(handle)?,
            }
        }
        self.due.iter().try_for_each(|due| visit.call(&due.handle))
    }
}
