//! The version of the workers that run a workflow's code, as their deployment names it.

use alloc::string::String;

use crate::batch::BatchError;
use crate::codec::common::read_string;
use crate::codec::reader::Reader;
use crate::codec::writer::Writer;

/// The search attribute of a run that names the version of workers that it is on.
pub const DEPLOYMENT_VERSION: &str = "PerdureDeploymentVersion";

/// The search attribute of a run that says whether it stays there: `pinned` or `auto_upgrade`.
pub const VERSIONING_BEHAVIOR: &str = "PerdureVersioningBehavior";

/// The search attribute of a run that a client has moved, with the behaviour that it chose.
pub const VERSIONING_OVERRIDE: &str = "PerdureVersioningOverride";

/// A version of workers, and whether a run stays on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct WorkerVersion {
    /// What is deployed, for instance `shop`.
    pub deployment: String,
    /// Which build of it.
    pub build_id: String,
    /// Whether the run stays on it; others go on to the deployment's current version.
    pub pinned: bool,
}

impl WorkerVersion {
    /// The version's name: the deployment and the build.
    #[must_use]
    pub fn name(&self) -> String {
        alloc::format!("{}:{}", self.deployment, self.build_id)
    }

    /// How a run stands to it, as its search attribute says.
    #[must_use]
    pub const fn behavior(&self) -> &'static str {
        if self.pinned {
            "pinned"
        } else {
            "auto_upgrade"
        }
    }
}

pub(crate) fn write(writer: &mut Writer, version: &WorkerVersion) {
    writer.fields(|fields| {
        fields.required(|writer| writer.text(&version.deployment));
        fields.required(|writer| writer.text(&version.build_id));
        fields.optional(!version.pinned, |writer| {
            writer.unsigned(u64::from(version.pinned));
        });
    });
}

pub(crate) fn read(reader: &mut Reader<'_>) -> Result<WorkerVersion, BatchError> {
    reader.fields(|fields| {
        Ok(WorkerVersion {
            deployment: fields.required(read_string)?,
            build_id: fields.required(read_string)?,
            pinned: fields.optional(|| 0, Reader::unsigned)? == 1,
        })
    })
}
