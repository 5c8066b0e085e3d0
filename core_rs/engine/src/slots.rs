//! Routes and their slots: how many tasks a route takes at once, who waits, and who holds one.

use std::collections::VecDeque;
use std::sync::Arc;

use perdure_history::{RunId, TaskId};
use rustc_hash::FxHashMap;

use crate::task::{Route, ServiceReport};
use crate::wheel::WheelKey;

/// How many tasks a service gets before it has said how many it takes.
const UNREPORTED_SERVICE_SLOTS: usize = 16;

/// Names a route by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteId(pub(crate) usize);

/// The route of activities that the host itself runs.
pub(crate) const LOCAL: RouteId = RouteId(0);

/// A task that a worker holds, or that is about to be handed out. It keeps its slot until its
/// worker's last word, even when the run no longer waits for it.
#[derive(Debug)]
pub(crate) struct HeldTask {
    pub(crate) nonce: u64,
    pub(crate) route: RouteId,
    /// Armed when nobody waits for the task any more: a lost worker never gives the slot back.
    pub(crate) abandoned: Option<WheelKey>,
}

#[derive(Debug)]
struct RouteState {
    route: Route,
    limit: usize,
    used: usize,
    waiting: VecDeque<(RunId, u64)>,
    /// Whether no worker of the service is alive, by its own report.
    absent: bool,
}

/// All routes.
#[derive(Debug)]
pub(crate) struct Slots {
    routes: Vec<RouteState>,
    services: FxHashMap<Arc<str>, RouteId>,
    held: FxHashMap<TaskId, HeldTask>,
    waiting: usize,
    /// Set while draining: nothing new is handed out.
    closed: bool,
}

impl Slots {
    /// Slots for local activities; services come as they are named.
    pub(crate) fn new(local_limit: usize) -> Self {
        Self {
            routes: vec![RouteState::new(Route::Local, local_limit)],
            services: FxHashMap::default(),
            held: FxHashMap::default(),
            waiting: 0,
            closed: false,
        }
    }

    /// The route to a service, or the local one.
    pub(crate) fn route_of(&mut self, service: Option<&Arc<str>>) -> RouteId {
        let Some(service) = service else {
            return LOCAL;
        };
        if let Some(route) = self.services.get(service) {
            return *route;
        }
        let id = RouteId(self.routes.len());
        let route = Route::Service(Arc::clone(service));
        self.routes
            .push(RouteState::new(route, UNREPORTED_SERVICE_SLOTS));
        self.services.insert(Arc::clone(service), id);
        id
    }

    /// The route behind an id.
    pub(crate) fn route(&self, id: RouteId) -> Route {
        self.routes
            .get(id.0)
            .map_or(Route::Local, |state| state.route.clone())
    }

    /// The service behind an id; `None` for the local route.
    pub(crate) fn service(&self, id: RouteId) -> Option<Arc<str>> {
        match self.routes.get(id.0).map(|state| &state.route) {
            Some(Route::Service(service)) => Some(Arc::clone(service)),
            _ => None,
        }
    }

    /// Takes a slot for a task if one is free and nobody waits before it.
    pub(crate) fn try_hold(&mut self, task: TaskId, nonce: u64, route: RouteId) -> bool {
        let closed = self.closed;
        let Some(state) = self.routes.get_mut(route.0) else {
            return false;
        };
        if closed || state.used >= state.limit || !state.waiting.is_empty() {
            return false;
        }
        self.hold(task, nonce, route);
        true
    }

    /// Takes a slot whether one is free or not: the task is out already.
    pub(crate) fn hold(&mut self, task: TaskId, nonce: u64, route: RouteId) {
        let held = HeldTask {
            nonce,
            route,
            abandoned: None,
        };
        if self.held.insert(task, held).is_none()
            && let Some(state) = self.routes.get_mut(route.0)
        {
            state.used += 1;
        }
    }

    /// Puts an activity at the end of its route's line.
    pub(crate) fn enqueue(&mut self, route: RouteId, run: RunId, command_n: u64) {
        if let Some(state) = self.routes.get_mut(route.0) {
            state.waiting.push_back((run, command_n));
            self.waiting += 1;
        }
    }

    /// The first activity in a line whose route has a free slot. It may no longer want one.
    pub(crate) fn pop_waiting(&mut self) -> Option<(RunId, u64)> {
        if self.waiting == 0 || self.closed {
            return None;
        }
        let free = |state: &&mut RouteState| state.used < state.limit && !state.waiting.is_empty();
        let first = self.routes.iter_mut().find(free)?.waiting.pop_front();
        self.waiting -= 1;
        first
    }

    /// The task, if it is held under this nonce.
    pub(crate) fn held(&self, task: &TaskId, nonce: u64) -> Option<&HeldTask> {
        self.held.get(task).filter(|held| held.nonce == nonce)
    }

    /// The held task, to be changed.
    pub(crate) fn held_mut(&mut self, task: &TaskId) -> Option<&mut HeldTask> {
        self.held.get_mut(task)
    }

    /// Gives a task's slot back.
    pub(crate) fn release(&mut self, task: &TaskId) -> Option<HeldTask> {
        let held = self.held.remove(task)?;
        if let Some(state) = self.routes.get_mut(held.route.0) {
            state.used = state.used.saturating_sub(1);
        }
        Some(held)
    }

    /// Takes note of what a service says of itself.
    pub(crate) fn report(&mut self, report: &ServiceReport) {
        let id = self.route_of(Some(&report.service));
        if let Some(state) = self.routes.get_mut(id.0) {
            state.limit = report.slots;
            state.absent = report.slots == 0;
        }
    }

    /// Why an activity in line is not handed out, for people.
    pub(crate) fn reason_to_wait(&self, id: RouteId) -> String {
        let Some(state) = self.routes.get(id.0) else {
            return String::new();
        };
        match &state.route {
            Route::Service(service) if state.absent => format!("no worker of {service} is alive"),
            Route::Service(service) => {
                format!("all {} slots of {service} are taken", state.limit)
            }
            Route::Local => format!("all {} local slots are taken", state.limit),
        }
    }

    /// Hands nothing out from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// How many tasks are held on the local route.
    pub(crate) fn held_locally(&self) -> usize {
        self.routes.first().map_or(0, |state| state.used)
    }
}

impl RouteState {
    fn new(route: Route, limit: usize) -> Self {
        Self {
            route,
            limit,
            used: 0,
            waiting: VecDeque::new(),
            absent: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(n: u64) -> TaskId {
        TaskId {
            run: RunId([1; 16]),
            n,
            attempt: 1,
        }
    }

    #[test]
    fn a_freed_slot_goes_to_the_first_in_line() {
        let mut slots = Slots::new(1);
        assert!(slots.try_hold(task(1), 5, LOCAL));
        assert!(!slots.try_hold(task(2), 6, LOCAL));
        slots.enqueue(LOCAL, RunId([1; 16]), 2);
        assert_eq!(slots.pop_waiting(), None);
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(3), 7, LOCAL),
            "nobody overtakes the line"
        );
        assert_eq!(slots.pop_waiting(), Some((RunId([1; 16]), 2)));
        assert!(slots.try_hold(task(2), 6, LOCAL));
        assert_eq!(slots.held_locally(), 1);
    }

    #[test]
    fn a_service_takes_as_many_as_it_says() {
        let mut slots = Slots::new(1);
        let service: Arc<str> = Arc::from("goaudit");
        let route = slots.route_of(Some(&service));
        let mut report = ServiceReport {
            service: Arc::clone(&service),
            slots: 0,
            activities: Vec::new(),
            held: Vec::new(),
        };
        slots.report(&report);
        assert!(!slots.try_hold(task(1), 5, route));
        assert_eq!(slots.reason_to_wait(route), "no worker of goaudit is alive");
        report.slots = 2;
        slots.report(&report);
        assert!(slots.try_hold(task(1), 5, route) && slots.try_hold(task(2), 5, route));
        assert!(!slots.try_hold(task(3), 5, route));
        assert!(slots.held(&task(1), 4).is_none(), "another nonce is not it");
    }
}
