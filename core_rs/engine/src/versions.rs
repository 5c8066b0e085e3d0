//! What runs workflow code, as the history tells it. A new version never refuses a run: it is
//! recorded by the first turn that it runs, and a mismatch names it.

use std::sync::Arc;

use perdure_history::{Event, Record, RecordBody, Version, WorkerVersion};

use crate::context::Context;
use crate::hosted::Offer;
use crate::pending::{Delivered, TurnEvents};
use crate::run::Run;

/// What ran a history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Versions {
    /// What ran its first turn; unknown in histories that do not say.
    begun: Option<Version>,
    /// What has run it last, and from which record on.
    changed: Option<(u64, Version)>,
    /// Whether the turn under way tells the present version.
    told: bool,
    /// The version of the workers that it tells.
    present: Option<WorkerVersion>,
}

impl Versions {
    /// What a history says; `None` when there is no history.
    pub(crate) fn of_history(records: &[Record]) -> Option<Self> {
        let begun = match &records.first()?.body {
            RecordBody::Event(Event::RunStarted(started)) => started.version.clone(),
            _ => None,
        };
        let changed = records.iter().rev().find_map(|record| match &record.body {
            RecordBody::Event(Event::VersionChanged {
                engine,
                language,
                deployment,
            }) => {
                let version = Version {
                    engine: engine.clone(),
                    language: language.clone(),
                    deployment: deployment.clone(),
                };
                Some((record.n, version))
            }
            _ => None,
        });
        Some(Self {
            begun,
            changed,
            told: false,
            present: None,
        })
    }

    fn last(&self) -> Option<&Version> {
        match &self.changed {
            Some((_, version)) => Some(version),
            None => self.begun.as_ref(),
        }
    }
}

impl Context {
    /// Has a turn tell the version that runs it, when that is the run's first or a new one.
    pub(crate) fn tell_version(&self, run: &mut Run, turn: &mut TurnEvents, offer: &Offer) {
        let Some(current) = &self.options.version else {
            return;
        };
        let current = Version {
            deployment: Self::deployment_of(run, offer),
            ..current.clone()
        };
        if let Some(Event::RunStarted(started)) = turn.events.first_mut() {
            Arc::make_mut(started).version = Some(current);
            return;
        }
        let Some(versions) = &mut run.versions else {
            return;
        };
        if turn.events.is_empty() || versions.told || versions.last() == Some(&current) {
            return;
        }
        versions.told = true;
        let Version {
            engine,
            language,
            deployment,
        } = current;
        versions.present.clone_from(&deployment);
        let event = Event::VersionChanged {
            engine,
            language,
            deployment,
        };
        turn.events.insert(0, event);
        turn.about.insert(0, Delivered::default());
    }

    /// What a mismatch says of versions: nothing when one version has run it all.
    pub(crate) fn version_note(&self, run: &Run) -> String {
        let Some(versions) = &run.versions else {
            return String::new();
        };
        let mut note = Vec::new();
        if let Some((n, version)) = &versions.changed {
            note.push(format!("{version} has run it since event {n}"));
        }
        if versions.told
            && let Some(current) = &self.options.version
        {
            let current = Version {
                deployment: versions.present.clone(),
                ..current.clone()
            };
            note.push(format!("{current} runs it now"));
        }
        if note.is_empty() {
            return String::new();
        }
        let begun = match &versions.begun {
            Some(version) => format!("{version} began the run"),
            None => "the run does not say what began it".to_owned(),
        };
        format!("; {begun}, {}", note.join(", "))
    }
}
