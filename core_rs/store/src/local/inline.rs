//! What a run has outstanding, inside its own row while it is little: a step then changes one row
//! and not three. What does not fit spills into rows of its own.

use bytes::Bytes;
use perdure_history::Timestamp;

use crate::append::Outstanding;
use crate::local::code;

/// The most bytes of outstanding work inside a run's row.
const INLINE_BYTES_MAX: usize = 1_024;

/// Bytes of an entry beside its state.
const ENTRY_BYTES: usize = 1 + 8 + 8 + 4;

/// The outstanding work inside a run's row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inline {
    entries: Vec<Outstanding>,
    bytes: usize,
    /// Whether rows of their own may exist; it stays set until the run closes.
    pub(crate) spilled: bool,
}

impl Inline {
    /// Puts an entry here and says so, or leaves it to a row of its own.
    pub(crate) fn put(&mut self, outstanding: &Outstanding) -> bool {
        let was_here = self.remove(outstanding.command_n);
        let bytes = ENTRY_BYTES + outstanding.state.len();
        let fits = self.bytes + bytes <= INLINE_BYTES_MAX;
        // Once something has spilled, an entry that is not here may be there.
        if !fits || (self.spilled && !was_here) {
            self.spilled = true;
            return false;
        }
        self.bytes += bytes;
        self.entries.push(outstanding.clone());
        true
    }

    /// Removes an entry; `false` when it is not here.
    pub(crate) fn remove(&mut self, command_n: u64) -> bool {
        let Some(at) = self
            .entries
            .iter()
            .position(|entry| entry.command_n == command_n)
        else {
            return false;
        };
        let removed = self.entries.swap_remove(at);
        self.bytes -= ENTRY_BYTES + removed.state.len();
        true
    }

    /// The entries, in no order.
    pub(crate) fn into_entries(self) -> Vec<Outstanding> {
        self.entries
    }

    /// Writes the entries to `buffer`: `[spilled, [kind, command_n, due_at, length, state]…]`.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        if self.entries.is_empty() && !self.spilled {
            return;
        }
        buffer.push(u8::from(self.spilled));
        for entry in &self.entries {
            buffer.push(code::of_kind(entry.kind) as u8);
            buffer.extend_from_slice(&entry.command_n.to_le_bytes());
            buffer.extend_from_slice(&entry.due_at.as_micros().to_le_bytes());
            buffer.extend_from_slice(&(entry.state.len() as u32).to_le_bytes());
            buffer.extend_from_slice(&entry.state);
        }
    }

    /// Reads what [`Inline::encode`] wrote; `None` when it is something else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let Some((spilled, mut rest)) = bytes.split_first() else {
            return Some(Self::default());
        };
        let mut inline = Self {
            spilled: *spilled == 1,
            ..Self::default()
        };
        while let Some((kind, after)) = rest.split_first() {
            let (command_n, after) = after.split_first_chunk::<8>()?;
            let (due_at, after) = after.split_first_chunk::<8>()?;
            let (length, after) = after.split_first_chunk::<4>()?;
            let (state, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            inline.bytes += ENTRY_BYTES + state.len();
            inline.entries.push(Outstanding {
                command_n: u64::from_le_bytes(*command_n),
                kind: code::to_kind(i64::from(*kind))?,
                due_at: Timestamp::from_micros(i64::from_le_bytes(*due_at)),
                state: Bytes::copy_from_slice(state),
            });
            rest = after;
        }
        Some(inline)
    }
}
