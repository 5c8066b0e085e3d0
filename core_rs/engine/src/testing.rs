//! What tests of this crate share.

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{ActivityOptions, Payload, RunId, ScheduleActivity, Site};

use crate::input::StartRun;

/// An activity call with default options.
pub(crate) fn schedule(name: &str, service: Option<&str>) -> Arc<ScheduleActivity> {
    schedule_with(name, service, ActivityOptions::default())
}

/// An activity call.
pub(crate) fn schedule_with(
    name: &str,
    service: Option<&str>,
    options: ActivityOptions,
) -> Arc<ScheduleActivity> {
    let arguments = Payload(Bytes::from_static(b"\x90"));
    Arc::new(ScheduleActivity {
        name: Arc::from(name),
        service: service.map(Arc::from),
        digest: arguments.digest(),
        arguments,
        options,
        site: Arc::new(Site::default()),
        headers: Vec::new(),
    })
}

/// A start with no options.
pub(crate) fn start(run: RunId, workflow_id: &str, workflow_type: &str) -> StartRun {
    StartRun {
        run,
        namespace: "default".to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Arc::from(workflow_type),
        task_queue: "default".to_owned(),
        arguments: Payload(Bytes::from_static(b"\x90")),
        seed: 1,
        run_timeout: None,
        memo: Vec::new(),
        headers: Vec::new(),
        chain: perdure_history::Chain::default(),
        parent: None,
        signal: None,
        search_attributes: Vec::new(),
        id_policy: perdure_history::IdPolicy::default(),
        priority: perdure_history::Priority::default(),
        update: None,
    }
}
