//! Patches: the one command that replay may answer without having it.

use alloc::sync::Arc;

use perdure_history::{Command, Site};

use super::{Delivering, Machine};
use crate::MachineError;

impl Machine {
    /// Whether the code takes the new branch of patch `id`. Each instance asks once for each patch
    /// and keeps the answer: what is answered during replay holds for the rest of the run.
    ///
    /// # Errors
    /// As [`Machine::submit`]; a mismatch when history has the marker elsewhere.
    pub fn ask_patch(
        &mut self,
        id: Arc<str>,
        site: Arc<Site>,
        deprecated: bool,
    ) -> Result<bool, MachineError> {
        let never_recorded = self.delivering == Delivering::Recorded
            && self.closed().is_none()
            && !self.patches.is_recorded(&id);
        if never_recorded {
            return Ok(false);
        }
        let asked = Command::RecordPatch {
            id: Arc::clone(&id),
            site,
            deprecated,
        };
        self.pass_deprecated_patches(Some(&asked));
        if self.patches.was_passed(&id) {
            return Ok(true);
        }
        self.submit(asked).map(|_| true)
    }

    /// Passes over deprecated markers that are next in history and not asked for.
    pub(super) fn pass_deprecated_patches(&mut self, asked: Option<&Command>) {
        while let Some(Command::RecordPatch {
            id,
            deprecated: true,
            ..
        }) = self.expected_command()
        {
            if matches!(asked, Some(Command::RecordPatch { id: asked, .. }) if asked == id) {
                return;
            }
            let id = Arc::clone(id);
            if self.accept().is_err() {
                return;
            }
            self.patches.pass(id);
        }
    }
}
