//! On which version of the workers a run is stepped.
//!
//! | the run | goes to |
//! |---|---|
//! | pinned | its version, and no other; else it waits for it |
//! | new, or moving on | the deployment's current version, or by its id the ramping one |
//! | the same, and no current version is set | the version that it is on; else what came last |
//! | the same, and no worker of the queue has a version | whoever serves the queue |
//!
//! What is decided is recorded by the first turn on a version, and stands in the search attributes
//! of the run, in the same write.

use std::sync::Arc;

use perdure_history::worker_version::{
    DEPLOYMENT_VERSION, VERSIONING_BEHAVIOR, VERSIONING_OVERRIDE,
};
use perdure_history::{
    Chain, Command, Event, Record, RecordBody, SearchValue, Visibility, VisibilityChange,
    WorkerVersion,
};

use crate::context::Context;
use crate::hosted::{self, Hosted, Offer};
use crate::input::ParkReason;
use crate::run::Run;

/// The version that a run is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) version: WorkerVersion,
    /// Whether a client has chosen how it stands there: the workflow's own word does not count.
    pub(crate) overridden: bool,
}

impl Placement {
    /// Where a run is to begin, if its start says so.
    pub(crate) fn of_start(chain: &Chain) -> Option<Box<Self>> {
        let version = chain.pinned_to.clone()?;
        Some(Box::new(Self {
            version,
            overridden: false,
        }))
    }

    /// What the search attributes of a run say.
    pub(crate) fn of_attributes(visibility: &Visibility) -> Option<Box<Self>> {
        let text = |wanted: &str| {
            let mut all = visibility.search_attributes.iter();
            all.find_map(|(name, value)| match value {
                SearchValue::Keyword(text) if name == wanted => Some(text.as_str()),
                _ => None,
            })
        };
        let (deployment, build_id) = text(DEPLOYMENT_VERSION)?.split_once(':')?;
        Some(Box::new(Self {
            version: WorkerVersion {
                deployment: deployment.to_owned(),
                build_id: build_id.to_owned(),
                pinned: text(VERSIONING_BEHAVIOR) == Some("pinned"),
            },
            overridden: text(VERSIONING_OVERRIDE).is_some(),
        }))
    }

    /// What a record says, for a run that is at `before`; the outer `None`: nothing of it.
    fn of_record(before: Option<&Self>, record: &Record) -> Option<Option<Self>> {
        let RecordBody::Event(event) = &record.body else {
            return None;
        };
        let told = |version: Option<&WorkerVersion>| {
            Some(version.map(|version| Self {
                version: version.clone(),
                overridden: before.is_some_and(|before| before.overridden),
            }))
        };
        match event {
            Event::RunStarted(started) => {
                let version = started.version.as_ref()?;
                told(version.deployment.as_ref())
            }
            Event::VersionChanged { deployment, .. } => told(deployment.as_ref()),
            Event::OptionsUpdated { pinned_to, .. } => {
                let version = pinned_to.clone().or_else(|| {
                    let mut version = before?.version.clone();
                    version.pinned = false;
                    Some(version)
                });
                Some(version.map(|version| Self {
                    version,
                    overridden: true,
                }))
            }
            _ => None,
        }
    }
}

/// Takes note of what a write says of the run's version, which it is then found by.
pub(crate) fn note(run: &mut Run, change: &mut VisibilityChange, records: &[Record]) {
    let before = run.placement.clone();
    for record in records {
        if let Some(placement) = Placement::of_record(run.placement.as_deref(), record) {
            run.placement = placement.map(Box::new);
        }
    }
    if run.placement == before {
        return;
    }
    let placement = run.placement.as_deref();
    let behavior = placement.map(|placement| placement.version.behavior());
    let overridden = behavior.filter(|_| placement.is_some_and(|each| each.overridden));
    for (name, text) in [
        (
            DEPLOYMENT_VERSION,
            placement.map(|each| each.version.name()),
        ),
        (VERSIONING_BEHAVIOR, behavior.map(str::to_owned)),
        (VERSIONING_OVERRIDE, overridden.map(str::to_owned)),
    ] {
        let value = text.map(SearchValue::Keyword);
        change.search_attributes.push((name.to_owned(), value));
    }
}

/// What follows a run that ends by these records begins where the run is pinned.
pub(crate) fn hand_on(run: &Run, records: &mut [Record]) {
    for record in records {
        let RecordBody::Command(
            Command::ContinueAsNew(next)
            | Command::FailRun {
                next: Some(next), ..
            },
        ) = &mut record.body
        else {
            continue;
        };
        let pin = run.inherited_pin(&next.start.task_queue);
        if next.start.chain.pinned_to != pin {
            Arc::make_mut(next).start.chain.pinned_to = pin;
        }
    }
}

impl Run {
    /// The version that the run stays on.
    pub(crate) fn pin(&self) -> Option<&WorkerVersion> {
        let version = &self.placement.as_ref()?.version;
        version.pinned.then_some(version)
    }

    /// What a run inherits that begins from this one on a task queue: where it is pinned.
    pub(crate) fn inherited_pin(&self, task_queue: &str) -> Option<WorkerVersion> {
        let same_queue = &*self.identity.task_queue == task_queue;
        self.pin().filter(|_| same_queue).cloned()
    }

    /// The version of which it is, or is being, stepped. What a turn tells of that is not recorded
    /// before the turn is.
    fn version(&self) -> Option<&WorkerVersion> {
        if self.hosted {
            self.stepped_as.as_deref()
        } else {
            self.placement.as_deref().map(|placed| &placed.version)
        }
    }
}

impl Context {
    /// The line in which the activities of a run wait: that of its version, as long as that is
    /// served. A run that stays on its version waits for it; others take what the queue has.
    pub(crate) fn line_of(&self, run: &Run) -> Arc<str> {
        let task_queue = &run.identity.task_queue;
        let Some(version) = run.version() else {
            return Arc::clone(task_queue);
        };
        let name = version.name();
        let served = |hosted: &Hosted| {
            let mut offers = hosted.offers(task_queue).iter();
            offers.any(|offer| offer.is_of(&name))
        };
        if version.pinned || self.hosted.as_ref().is_some_and(served) {
            hosted::line_of(task_queue, &name)
        } else {
            Arc::clone(task_queue)
        }
    }

    /// What of the host is to step the run; else why the run waits.
    pub(crate) fn offer_for(&self, run: &Run) -> Result<Offer, ParkReason> {
        let identity = &run.identity;
        let offers = match &self.hosted {
            Some(hosted) => hosted.offers(&identity.task_queue),
            None => &[],
        };
        if offers.is_empty() {
            return Err(hosted::lack(&hosted::no_worker(&identity.task_queue)));
        }
        let chosen = self.chosen(run, offers)?;
        if chosen.has(&identity.workflow_type) {
            Ok(chosen.clone())
        } else {
            Err(hosted::lack_of_type(identity, chosen))
        }
    }

    fn chosen<'a>(&self, run: &Run, offers: &'a [Offer]) -> Result<&'a Offer, ParkReason> {
        let identity = &run.identity;
        let of_version = |name: &str| offers.iter().rev().find(|offer| offer.is_of(name));
        if let Some(version) = run.pin() {
            let name = version.name();
            return of_version(&name)
                .ok_or_else(|| hosted::lack(&hosted::no_pinned(&identity.task_queue, &name)));
        }
        let has_type = |offer: &&&Offer| offer.has(&identity.workflow_type);
        let plain = offers.iter().find(|offer| offer.version.is_none());
        let versioned: Vec<&Offer> = offers.iter().filter(|one| one.version.is_some()).collect();
        let placed = run.placement.as_deref().map(|placed| &placed.version);
        let deployment = placed
            .map(|version| version.deployment.as_str())
            .or_else(|| {
                versioned
                    .last()?
                    .version
                    .as_ref()
                    .map(|build| &*build.deployment)
            });
        let Some(deployment) = deployment else {
            return plain.ok_or_else(|| hosted::lack(&hosted::no_worker(&identity.task_queue)));
        };
        let of_deployment = |one: &&Offer| {
            let build = one.version.as_ref();
            build.is_some_and(|build| &*build.deployment == deployment)
        };
        if !versioned.iter().any(&of_deployment) {
            // Nobody serves the deployment any more: who is there takes over.
            return plain
                .or_else(|| versioned.last().copied())
                .ok_or_else(|| hosted::lack(&hosted::no_worker(&identity.task_queue)));
        }
        if let Some(build_id) = self.routing.target(identity, deployment) {
            let name = format!("{deployment}:{build_id}");
            return of_version(&name)
                .ok_or_else(|| hosted::lack(&hosted::no_current(&identity.task_queue, &name)));
        }
        let stays = placed.and_then(|version| of_version(&version.name()));
        let unplaced = plain.filter(|offer| placed.is_none() && has_type(&offer));
        let mut last = versioned.iter().rev().filter(|one| of_deployment(one));
        let newest = last.clone().find(|one| one.has(&identity.workflow_type));
        stays
            .or(unplaced)
            .or_else(|| newest.copied())
            .or_else(|| last.next().copied())
            .ok_or_else(|| hosted::lack(&hosted::no_worker(&identity.task_queue)))
    }

    /// The version that a turn on this offer tells.
    pub(crate) fn deployment_of(run: &Run, offer: &Offer) -> Option<WorkerVersion> {
        let build = offer.version.as_ref()?;
        let chosen = run.placement.as_ref().filter(|placed| placed.overridden);
        let pinned = match chosen {
            Some(placed) => placed.version.pinned,
            None => offer.pins(&run.identity.workflow_type),
        };
        Some(WorkerVersion {
            deployment: build.deployment.to_string(),
            build_id: build.build_id.to_string(),
            pinned,
        })
    }
}
