//! What a start does about other runs of its workflow id.

/// May an id be used again, of which no run is open?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdReusePolicy {
    /// Yes.
    #[default]
    AllowDuplicate,
    /// Unless its last run completed.
    AllowDuplicateFailedOnly,
    /// Not while any run of it is kept.
    RejectDuplicate,
}

/// What becomes of an open run that has the id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdConflictPolicy {
    /// It goes on, and the start is refused.
    #[default]
    Fail,
    /// It goes on, and the start is answered with it.
    UseExisting,
    /// It is ended without running its code, and the new run takes its place.
    TerminateExisting,
}

/// Both policies of a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdPolicy {
    /// About runs that have closed.
    pub reuse: IdReusePolicy,
    /// About one that is open.
    pub conflict: IdConflictPolicy,
}

impl IdPolicy {
    /// One byte, in which messages keep it.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        let reuse = match self.reuse {
            IdReusePolicy::AllowDuplicate => 0,
            IdReusePolicy::AllowDuplicateFailedOnly => 1,
            IdReusePolicy::RejectDuplicate => 2,
        };
        let conflict = match self.conflict {
            IdConflictPolicy::Fail => 0,
            IdConflictPolicy::UseExisting => 1,
            IdConflictPolicy::TerminateExisting => 2,
        };
        reuse | conflict << 4
    }

    /// Reads that byte; `None` when a newer version wrote it.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        let reuse = match byte & 0x0f {
            0 => IdReusePolicy::AllowDuplicate,
            1 => IdReusePolicy::AllowDuplicateFailedOnly,
            2 => IdReusePolicy::RejectDuplicate,
            _ => return None,
        };
        let conflict = match byte >> 4 {
            0 => IdConflictPolicy::Fail,
            1 => IdConflictPolicy::UseExisting,
            2 => IdConflictPolicy::TerminateExisting,
            _ => return None,
        };
        Some(Self { reuse, conflict })
    }
}
