//! Which run each write under way belongs to.

use std::collections::VecDeque;

use perdure_history::RunId;

/// Tickets are given in sequence and mostly come back so.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    first: u64,
    open: VecDeque<Option<RunId>>,
}

impl Tickets {
    /// A new ticket for a write of this run.
    pub(crate) fn issue(&mut self, run: RunId) -> u64 {
        self.open.push_back(Some(run));
        self.first + self.open.len() as u64 - 1
    }

    /// Takes a ticket back; `None` when it is unknown or was taken back before.
    pub(crate) fn take(&mut self, ticket: u64) -> Option<RunId> {
        let index = usize::try_from(ticket.checked_sub(self.first)?).ok()?;
        let run = self.open.get_mut(index)?.take();
        while let Some(None) = self.open.front() {
            self.open.pop_front();
            self.first += 1;
        }
        run
    }

    /// How many writes are under way.
    pub(crate) fn count(&self) -> usize {
        self.open.iter().flatten().count()
    }
}
