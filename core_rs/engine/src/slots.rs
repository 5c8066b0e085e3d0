//! Routes and their slots: how many tasks a route takes at once, who waits, and who holds one.

use std::collections::VecDeque;
use std::sync::Arc;

use perdure_history::{RunId, ScheduleActivity, TaskId, Timestamp};
use rustc_hash::FxHashMap;

use crate::hosted;
use crate::input::ServedQueue;
use crate::rate::Rate;
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
    /// Its activity, when that has a limit of its own.
    limited: Option<Arc<str>>,
}

/// What an activity asks for: a slot of this route, under this name.
pub(crate) type Asks<'a> = (RouteId, &'a Arc<str>);

/// How many attempts of one activity its queue takes at once.
#[derive(Debug, Default)]
struct Limit {
    most: usize,
    used: usize,
    /// Who waits for this limit alone: they do not hold up the line of the route.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    run: RunId,
    command_n: u64,
    activity: Arc<str>,
}

#[derive(Debug)]
struct RouteState {
    route: Route,
    limit: usize,
    used: usize,
    waiting: VecDeque<Waiting>,
    limits: FxHashMap<Arc<str>, Limit>,
    rate: Option<Rate>,
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
    /// Armed while somebody waits for a rate.
    pub(crate) wake: Option<WheelKey>,
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
                state.serve(queue);
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
    pub(crate) fn try_hold(
        &mut self,
        task: TaskId,
        nonce: u64,
        (route, activity): Asks<'_>,
        now: Timestamp,
    ) -> bool {
        let closed = self.closed;
        let Some(state) = self.routes.get_mut(route.place) else {
            return false;
        };
        let free = state.waiting.is_empty() && !state.is_limited(activity) && state.is_free(now);
        if closed || !free {
            return false;
        }
        self.hold(task, nonce, route, Some(activity));
        true
    }

    /// Takes a slot whether one is free or not: the task is out already.
    pub(crate) fn hold(
        &mut self,
        task: TaskId,
        nonce: u64,
        route: RouteId,
        activity: Option<&Arc<str>>,
    ) {
        let state = self.routes.get_mut(route.place);
        let limited = state.and_then(|state| state.take_limit(activity?));
        let held = HeldTask {
            nonce,
            route,
            abandoned: None,
            limited,
        };
        if self.held.insert(task, held).is_none()
            && let Some(state) = self.routes.get_mut(route.place)
        {
            state.used += 1;
            if let Some(rate) = &mut state.rate {
                rate.take();
            }
        }
    }

    /// Puts an activity at the end of its route's line.
    pub(crate) fn enqueue(&mut self, (route, activity): Asks<'_>, run: RunId, command_n: u64) {
        if let Some(state) = self.routes.get_mut(route.place) {
            state.waiting.push_back(Waiting {
                run,
                command_n,
                activity: Arc::clone(activity),
            });
            self.waiting += 1;
        }
    }

    /// The first activity in a line whose route has a free slot. It may no longer want one.
    pub(crate) fn pop_waiting(&mut self, now: Timestamp) -> Option<(RunId, u64)> {
        if self.waiting == 0 || self.closed {
            return None;
        }
        let mut routes = self.routes.iter_mut();
        let first = routes.find_map(|state| state.pop_waiting(now))?;
        self.waiting -= 1;
        Some((first.run, first.command_n))
    }

    /// When a rate lets the next of those begin who wait for nothing else.
    pub(crate) fn rate_ready_at(&self) -> Timestamp {
        if self.waiting == 0 || self.closed {
            return Timestamp::NEVER;
        }
        let waits = |state: &&RouteState| state.used < state.limit && !state.waiting.is_empty();
        let rates = self.routes.iter().filter(waits).filter_map(|s| s.rate);
        rates
            .map(|rate| rate.ready_at())
            .min()
            .unwrap_or(Timestamp::NEVER)
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
            state.give_back(held.limited.as_ref());
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
    pub(crate) fn reason_to_wait(&self, id: RouteId, activity: Option<&Arc<str>>) -> String {
        let Some(state) = self.routes.get(id.place) else {
            return String::new();
        };
        if let Some(activity) = activity.filter(|activity| state.is_limited(activity)) {
            return format!("the activity {activity} runs as often at once as it may");
        }
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
            limits: FxHashMap::default(),
            rate: None,
            absent: false,
        }
    }

    /// What the host says of the queue; what is under way counts on.
    fn serve(&mut self, queue: &ServedQueue) {
        self.limit = queue.maximum_concurrent_activities;
        self.absent = false;
        let per_second = queue.maximum_activities_per_second;
        let same = |rate: &Rate| per_second.is_some_and(|wanted| rate.is_of(wanted));
        if !self.rate.as_ref().is_some_and(same) {
            self.rate = per_second.and_then(Rate::new);
        }
        for limit in self.limits.values_mut() {
            limit.most = usize::MAX;
            self.waiting.append(&mut limit.waiting);
        }
        for (name, most) in &queue.activity_limits {
            self.limits.entry(Arc::clone(name)).or_default().most = *most;
        }
    }

    /// Whether a slot is free and the rate lets an activity begin.
    fn is_free(&mut self, now: Timestamp) -> bool {
        self.used < self.limit && self.rate.as_mut().is_none_or(|rate| rate.is_ready(now))
    }

    /// Whether an activity runs as often as it may.
    fn is_limited(&self, activity: &Arc<str>) -> bool {
        let limit = self.limits.get(activity);
        limit.is_some_and(|limit| limit.used >= limit.most || !limit.waiting.is_empty())
    }

    /// Counts an attempt towards its activity's limit, if it has one.
    fn take_limit(&mut self, activity: &Arc<str>) -> Option<Arc<str>> {
        let limit = self.limits.get_mut(activity)?;
        limit.used += 1;
        Some(Arc::clone(activity))
    }

    /// An attempt of a limited activity is over.
    fn give_back(&mut self, limited: Option<&Arc<str>>) {
        if let Some(limit) = limited.and_then(|activity| self.limits.get_mut(activity)) {
            limit.used = limit.used.saturating_sub(1);
        }
    }

    /// Who waited longest for a limit that has room is next of all. It may no longer want that, so
    /// this is looked at before each slot that is given, not when there comes to be room.
    fn recall(&mut self) {
        for (activity, limit) in &mut self.limits {
            let first = self.waiting.front();
            let called = first.is_some_and(|first| first.activity == *activity);
            if limit.used < limit.most
                && !called
                && let Some(next) = limit.waiting.pop_front()
            {
                self.waiting.push_front(next);
            }
        }
    }

    /// The first in line that may begin; those whose activity runs as often as it may step aside.
    fn pop_waiting(&mut self, now: Timestamp) -> Option<Waiting> {
        self.recall();
        if self.waiting.is_empty() || !self.is_free(now) {
            return None;
        }
        while let Some(first) = self.waiting.pop_front() {
            match self.limits.get_mut(&first.activity) {
                Some(limit) if limit.used >= limit.most => limit.waiting.push_back(first),
                _ => return Some(first),
            }
        }
        None
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
            ..ServedQueue::default()
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn name() -> Arc<str> {
        Arc::from("parse")
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
        assert!(slots.try_hold(task(1), 5, (local, &name()), NOW));
        assert!(!slots.try_hold(task(2), 6, (local, &name()), NOW));
        slots.enqueue((local, &name()), RunId([1; 16]), 2);
        assert_eq!(slots.pop_waiting(NOW), None);
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(3), 7, (local, &name()), NOW),
            "nobody overtakes the line"
        );
        assert_eq!(slots.pop_waiting(NOW), Some((RunId([1; 16]), 2)));
        assert!(slots.try_hold(task(2), 6, (local, &name()), NOW));
        assert_eq!(slots.held_locally(), 1);
    }

    #[test]
    fn a_task_queue_waits_until_it_is_served_and_when_it_is_no_more() {
        let mut slots = Slots::default();
        let shop = slots.route_to_queue(&Arc::from("shop"));
        slots.serve(&[queue("default", 1)]);
        assert!(!slots.try_hold(task(1), 5, (shop, &name()), NOW));
        assert_eq!(
            slots.reason_to_wait(shop, None),
            "no worker serves the task queue \"shop\": start a Worker with it"
        );
        slots.serve(&[queue("default", 1), queue("shop", 1)]);
        assert!(slots.try_hold(task(1), 5, (shop, &name()), NOW));
        assert_eq!(
            slots.reason_to_wait(shop, None),
            "all 1 slots of the task queue shop are taken"
        );
        slots.release(&task(1));
        slots.serve(&[queue("default", 1)]);
        assert!(!slots.try_hold(task(2), 5, (shop, &name()), NOW));
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
        assert!(!slots.try_hold(task(1), 5, (route, &name()), NOW));
        assert_eq!(
            slots.reason_to_wait(route, None),
            "no worker of goaudit is alive"
        );
        report.slots = 2;
        slots.report(&report);
        assert!(
            slots.try_hold(task(1), 5, (route, &name()), NOW)
                && slots.try_hold(task(2), 5, (route, &name()), NOW)
        );
        assert!(!slots.try_hold(task(3), 5, (route, &name()), NOW));
        assert!(slots.held(&task(1), 4).is_none(), "another nonce is not it");
    }

    #[test]
    fn who_waits_for_a_limit_of_its_own_does_not_hold_up_the_line() {
        let mut slots = Slots::default();
        let mut served = queue("default", 3);
        served.activity_limits = vec![(name(), 1)];
        slots.serve(&[served.clone()]);
        let local = slots.route_to_queue(&Arc::from("default"));
        let other: Arc<str> = Arc::from("other");
        let run = RunId([1; 16]);
        assert!(slots.try_hold(task(1), 5, (local, &name()), NOW));
        assert!(!slots.try_hold(task(2), 5, (local, &name()), NOW));
        slots.enqueue((local, &name()), run, 2);
        slots.enqueue((local, &name()), run, 3);
        slots.enqueue((local, &other), run, 4);
        assert_eq!(slots.pop_waiting(NOW), Some((run, 4)), "they step aside");
        slots.hold(task(4), 5, local, Some(&other));
        assert_eq!(slots.pop_waiting(NOW), None);
        assert!(slots.try_hold(task(5), 5, (local, &other), NOW));
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(6), 5, (local, &name()), NOW),
            "nobody overtakes those who stepped aside"
        );
        assert_eq!(slots.pop_waiting(NOW), Some((run, 2)));
        assert_eq!(slots.pop_waiting(NOW), Some((run, 3)), "if 2 wants none");
        slots.enqueue((local, &name()), run, 3);
        slots.hold(task(2), 5, local, Some(&name()));
        assert_eq!(slots.pop_waiting(NOW), None);
        // Without the limit, those who waited for it are in line again.
        slots.serve(&[queue("default", 4)]);
        assert_eq!(slots.pop_waiting(NOW), Some((run, 3)));
    }

    #[test]
    fn a_rate_lets_the_next_begin_in_time() {
        let mut slots = Slots::default();
        let mut served = queue("default", 10);
        served.maximum_activities_per_second = Some(2.0);
        slots.serve(&[served]);
        let local = slots.route_to_queue(&Arc::from("default"));
        let run = RunId([1; 16]);
        assert!(slots.try_hold(task(1), 5, (local, &name()), NOW));
        assert!(!slots.try_hold(task(2), 5, (local, &name()), NOW));
        assert_eq!(slots.rate_ready_at(), Timestamp::NEVER, "nobody waits");
        slots.enqueue((local, &name()), run, 2);
        assert_eq!(slots.pop_waiting(NOW), None);
        let ready_at = slots.rate_ready_at();
        assert_eq!(ready_at.as_micros(), NOW.as_micros() + 500_001);
        assert_eq!(slots.pop_waiting(ready_at), Some((run, 2)));
    }
}
