//! Routes and their slots: how many tasks a route takes at once, who waits, and who holds one.

use std::collections::VecDeque;
use std::sync::Arc;

use perdure_history::{RunId, ScheduleActivity, TaskId};
use rustc_hash::FxHashMap;

use crate::hosted;
use crate::input::ServedQueue;
use crate::task::{Route, ServiceReport};
use crate::wheel::WheelKey;

/// How many tasks a service gets before it has said how many it takes.
const UNREPORTED_SERVICE_SLOTS: usize = 16;

/// Names a route by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteId {
    place: usize,
    local: bool,
}

impl RouteId {
    /// Whether the host itself runs what takes this route.
    pub(crate) fn is_local(self) -> bool {
        self.local
    }

    #[cfg(test)]
    pub(crate) fn of_tests(local: bool) -> Self {
        Self { place: 0, local }
    }
}

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
    /// Whether nobody serves it: a queue until the host says otherwise, a service by its report.
    absent: bool,
}

/// All routes.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    routes: Vec<RouteState>,
    queues: FxHashMap<Arc<str>, RouteId>,
    services: FxHashMap<Arc<str>, RouteId>,
    held: FxHashMap<TaskId, HeldTask>,
    waiting: usize,
    /// Set while draining: nothing new is handed out.
    closed: bool,
}

impl Slots {
    /// The route of an activity of a run on this task queue.
    pub(crate) fn route_of(&mut self, asked: &ScheduleActivity, of_run: &Arc<str>) -> RouteId {
        match &asked.service {
            Some(service) => self.route_to_service(service),
            None => self.route_to_queue(asked.options.task_queue.as_ref().unwrap_or(of_run)),
        }
    }

    /// The route to a service.
    pub(crate) fn route_to_service(&mut self, service: &Arc<str>) -> RouteId {
        if let Some(route) = self.services.get(service) {
            return *route;
        }
        let route = Route::Service(Arc::clone(service));
        let id = self.add(RouteState::new(route, UNREPORTED_SERVICE_SLOTS));
        self.services.insert(Arc::clone(service), id);
        id
    }

    /// The route to what the host has for a task queue: nothing, until it says so.
    pub(crate) fn route_to_queue(&mut self, task_queue: &Arc<str>) -> RouteId {
        if let Some(route) = self.queues.get(task_queue) {
            return *route;
        }
        let mut state = RouteState::new(Route::TaskQueue(Arc::clone(task_queue)), 0);
        state.absent = true;
        let id = self.add(state);
        self.queues.insert(Arc::clone(task_queue), id);
        id
    }

    fn add(&mut self, state: RouteState) -> RouteId {
        let id = RouteId {
            place: self.routes.len(),
            local: matches!(state.route, Route::TaskQueue(_)),
        };
        self.routes.push(state);
        id
    }

    /// Takes note of the task queues that the host serves, and of no others.
    pub(crate) fn serve(&mut self, queues: &[ServedQueue]) {
        for id in self.queues.values() {
            if let Some(state) = self.routes.get_mut(id.place) {
                (state.limit, state.absent) = (0, true);
            }
        }
        for queue in queues {
            let id = self.route_to_queue(&queue.task_queue);
            if let Some(state) = self.routes.get_mut(id.place) {
                state.limit = queue.maximum_concurrent_activities;
                state.absent = false;
            }
        }
    }

    /// The route behind an id.
    pub(crate) fn route(&self, id: RouteId) -> Option<Route> {
        self.routes.get(id.place).map(|state| state.route.clone())
    }

    /// The service behind an id; `None` for a task queue.
    pub(crate) fn service(&self, id: RouteId) -> Option<Arc<str>> {
        match self.routes.get(id.place).map(|state| &state.route) {
            Some(Route::Service(service)) => Some(Arc::clone(service)),
            _ => None,
        }
    }

    /// Takes a slot for a task if one is free and nobody waits before it.
    pub(crate) fn try_hold(&mut self, task: TaskId, nonce: u64, route: RouteId) -> bool {
        let closed = self.closed;
        let Some(state) = self.routes.get_mut(route.place) else {
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
            && let Some(state) = self.routes.get_mut(route.place)
        {
            state.used += 1;
        }
    }

    /// Puts an activity at the end of its route's line.
    pub(crate) fn enqueue(&mut self, route: RouteId, run: RunId, command_n: u64) {
        if let Some(state) = self.routes.get_mut(route.place) {
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
        if let Some(state) = self.routes.get_mut(held.route.place) {
            state.used = state.used.saturating_sub(1);
        }
        Some(held)
    }

    /// Takes note of what a service says of itself.
    pub(crate) fn report(&mut self, report: &ServiceReport) {
        let id = self.route_to_service(&report.service);
        if let Some(state) = self.routes.get_mut(id.place) {
            state.limit = report.slots;
            state.absent = report.slots == 0;
        }
    }

    /// Why an activity in line is not handed out, for people.
    pub(crate) fn reason_to_wait(&self, id: RouteId) -> String {
        let Some(state) = self.routes.get(id.place) else {
            return String::new();
        };
        match &state.route {
            Route::TaskQueue(queue) if state.absent => hosted::no_worker(queue),
            Route::TaskQueue(queue) => {
                format!(
                    "all {} slots of the task queue {queue} are taken",
                    state.limit
                )
            }
            Route::Service(service) if state.absent => format!("no worker of {service} is alive"),
            Route::Service(service) => {
                format!("all {} slots of {service} are taken", state.limit)
            }
        }
    }

    /// Hands nothing out from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// How many tasks are out, here and with services.
    pub(crate) fn held_count(&self) -> usize {
        self.held.len()
    }

    /// How many tasks the host itself holds.
    pub(crate) fn held_locally(&self) -> usize {
        let local = |id: &RouteId| self.routes.get(id.place).map_or(0, |state| state.used);
        self.queues.values().map(local).sum()
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

    fn queue(name: &str, maximum_concurrent_activities: usize) -> ServedQueue {
        ServedQueue {
            task_queue: Arc::from(name),
            workflow_types: Vec::new(),
            maximum_concurrent_activities,
        }
    }

    fn task(n: u64) -> TaskId {
        TaskId {
            run: RunId([1; 16]),
            n,
            attempt: 1,
        }
    }

    #[test]
    fn a_freed_slot_goes_to_the_first_in_line() {
        let mut slots = Slots::default();
        slots.serve(&[queue("default", 1)]);
        let local = slots.route_to_queue(&Arc::from("default"));
        assert!(slots.try_hold(task(1), 5, local));
        assert!(!slots.try_hold(task(2), 6, local));
        slots.enqueue(local, RunId([1; 16]), 2);
        assert_eq!(slots.pop_waiting(), None);
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(3), 7, local),
            "nobody overtakes the line"
        );
        assert_eq!(slots.pop_waiting(), Some((RunId([1; 16]), 2)));
        assert!(slots.try_hold(task(2), 6, local));
        assert_eq!(slots.held_locally(), 1);
    }

    #[test]
    fn a_task_queue_waits_until_it_is_served_and_when_it_is_no_more() {
        let mut slots = Slots::default();
        let shop = slots.route_to_queue(&Arc::from("shop"));
        slots.serve(&[queue("default", 1)]);
        assert!(!slots.try_hold(task(1), 5, shop));
        assert_eq!(
            slots.reason_to_wait(shop),
            "no worker serves the task queue \"shop\": start a Worker with it"
        );
        slots.serve(&[queue("default", 1), queue("shop", 1)]);
        assert!(slots.try_hold(task(1), 5, shop));
        assert_eq!(
            slots.reason_to_wait(shop),
            "all 1 slots of the task queue shop are taken"
        );
        slots.release(&task(1));
        slots.serve(&[queue("default", 1)]);
        assert!(!slots.try_hold(task(2), 5, shop));
    }

    #[test]
    fn a_service_takes_as_many_as_it_says() {
        let mut slots = Slots::default();
        let service: Arc<str> = Arc::from("goaudit");
        let route = slots.route_to_service(&service);
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
