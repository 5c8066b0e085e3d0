//! Routes and their slots: how many tasks a route takes at once, who waits, and who holds one.

use std::collections::BTreeMap;
use std::sync::Arc;

use perdure_history::{RunId, ScheduleActivity, TaskId, Timestamp};
use rustc_hash::FxHashMap;

use crate::hosted;
use crate::input::ServedQueue;
use crate::instant;
use crate::line::{Place, Waiting};
use crate::queues::LiveQueue;
use crate::rate_limits::RateLimits;
use crate::route_state::RouteState;
use crate::run::Run;
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

    /// Its place in the table.
    pub(crate) fn place(self) -> usize {
        self.place
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

/// What an activity asks for: a slot of this route.
pub(crate) type Asks<'a> = (RouteId, &'a Arc<ScheduleActivity>);

/// An attempt that was taken out of its route's line, for a slot that is free.
#[derive(Debug)]
pub(crate) struct Next {
    route: RouteId,
    waiting: Waiting,
}

impl Next {
    /// In whose line it stood.
    pub(crate) fn route(&self) -> RouteId {
        self.route
    }

    /// Which it is: its run, and the number of its command.
    pub(crate) fn which(&self) -> (RunId, u64) {
        (self.waiting.place.run, self.waiting.place.command_n)
    }
}

/// All routes.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    routes: Vec<RouteState>,
    queues: FxHashMap<Arc<str>, RouteId>,
    services: FxHashMap<Arc<str>, RouteId>,
    /// The local activities of each task queue: whoever steps the run runs them.
    inline: FxHashMap<Arc<str>, RouteId>,
    /// The sessions of each task queue: they last long, and take no slot of an activity.
    sessions: FxHashMap<Arc<str>, RouteId>,
    held: FxHashMap<TaskId, HeldTask>,
    waiting: usize,
    /// Set while draining: nothing new is handed out.
    closed: bool,
    /// Set after a restart until the lines are known.
    held_back: bool,
    /// What activities share by key, over all routes.
    pub(crate) rate_limits: RateLimits,
    /// Which route is asked first: those that share a key take turns.
    first: usize,
    /// Armed while somebody waits for a rate.
    pub(crate) wake: Option<WheelKey>,
}

impl Slots {
    /// The route of an activity of a run on this task queue.
    pub(crate) fn route_of(&mut self, asked: &ScheduleActivity, of_run: &Arc<str>) -> RouteId {
        if asked.options.local.is_some() {
            return self.route_inline(of_run);
        }
        if asked.options.session == Some(0) {
            let queue = asked.options.task_queue.as_ref().unwrap_or(of_run);
            return self.route_to_sessions(queue);
        }
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

    /// The route to whoever steps the runs of a task queue: it has no limit.
    fn route_inline(&mut self, task_queue: &Arc<str>) -> RouteId {
        if let Some(route) = self.inline.get(task_queue) {
            return *route;
        }
        let route = Route::TaskQueue(Arc::clone(task_queue));
        let id = self.add(RouteState::new(route, usize::MAX));
        self.inline.insert(Arc::clone(task_queue), id);
        id
    }

    fn route_to_sessions(&mut self, task_queue: &Arc<str>) -> RouteId {
        if let Some(route) = self.sessions.get(task_queue) {
            return *route;
        }
        let mut state = RouteState::new(Route::TaskQueue(Arc::clone(task_queue)), 0);
        state.absent = true;
        let id = self.add(state);
        self.sessions.insert(Arc::clone(task_queue), id);
        id
    }

    fn add(&mut self, state: RouteState) -> RouteId {
        self.routes.push(state);
        self.id_of(self.routes.len() - 1)
    }

    fn id_of(&self, place: usize) -> RouteId {
        let state = self.routes.get(place);
        let local = state.is_some_and(|state| matches!(state.route, Route::TaskQueue(_)));
        RouteId { place, local }
    }

    /// Takes note of the task queues that the host serves, and of no others.
    pub(crate) fn serve(&mut self, queues: &[ServedQueue]) {
        for id in self.queues.values().chain(self.sessions.values()) {
            if let Some(state) = self.routes.get_mut(id.place) {
                (state.limit, state.absent) = (0, true);
            }
        }
        for queue in queues {
            let version = queue.version.as_ref().map(|build| build.name());
            let own = version.map(|name| hosted::line_of(&queue.task_queue, &name));
            for line in own.iter().chain([&queue.task_queue]) {
                let id = self.route_to_queue(line);
                if let Some(state) = self.routes.get_mut(id.place) {
                    // Workers of several versions share the line of runs that are not pinned.
                    let others = state.limit;
                    state.serve(queue);
                    state.limit += others;
                }
                let id = self.route_to_sessions(line);
                if let Some(state) = self.routes.get_mut(id.place) {
                    state.limit += queue.maximum_concurrent_sessions;
                    state.absent = false;
                }
            }
        }
    }

    /// Takes note of the most attempts of services at once.
    pub(crate) fn limit_services(&mut self, limits: &[(Arc<str>, usize)]) {
        for (service, most) in limits {
            let id = self.route_to_service(service);
            if let Some(state) = self.routes.get_mut(id.place) {
                state.most = *most;
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
        (route, asked): Asks<'_>,
        now: Timestamp,
    ) -> bool {
        let gives = self.gives();
        let Some(state) = self.routes.get_mut(route.place) else {
            return false;
        };
        if !gives || !state.is_free_for(asked, &self.rate_limits, now) {
            return false;
        }
        self.hold(task, nonce, (route, Some(asked)), now);
        true
    }

    /// Takes a slot whether one is free or not: the task is out already.
    pub(crate) fn hold(
        &mut self,
        task: TaskId,
        nonce: u64,
        (route, asked): (RouteId, Option<&Arc<ScheduleActivity>>),
        now: Timestamp,
    ) {
        if let Some(asked) = asked.filter(|asked| asked.options.local.is_none()) {
            self.rate_limits.take(&asked.options.rate_limits, now);
        }
        let state = self.routes.get_mut(route.place);
        let limited = state.and_then(|state| state.take_limit(&asked?.name));
        let held = HeldTask {
            nonce,
            route,
            abandoned: None,
            limited,
        };
        if self.held.insert(task, held).is_none()
            && let Some(state) = self.routes.get_mut(route.place)
        {
            state.take();
        }
    }

    /// Puts an activity in its route's line.
    pub(crate) fn enqueue(&mut self, (route, asked): Asks<'_>, place: Place) {
        if let Some(state) = self.routes.get_mut(route.place) {
            let asked = Arc::clone(asked);
            state.enqueue(Waiting { place, asked });
            self.waiting += 1;
        }
    }

    /// The first activity in a line whose route has a free slot. It may no longer want one.
    pub(crate) fn pop_waiting(&mut self, now: Timestamp) -> Option<Next> {
        if self.waiting == 0 || !self.gives() {
            return None;
        }
        let count = self.routes.len();
        let (place, waiting) = (0..count).find_map(|after| {
            let place = (self.first + after) % count;
            let state = self.routes.get_mut(place)?;
            Some((place, state.pop_waiting(&self.rate_limits, now)?))
        })?;
        self.first = place + 1;
        self.waiting -= 1;
        let route = self.id_of(place);
        Some(Next { route, waiting })
    }

    /// Hands over what the next write of a run that was just granted something has to hold.
    pub(crate) fn take_marks(&mut self, run: &mut Run) {
        self.rate_limits.take_marks(&mut run.rate_marks);
    }

    /// The next one wanted its slot, and has it.
    pub(crate) fn had_turn(&mut self, next: &Next) {
        if let Some(state) = self.routes.get_mut(next.route.place) {
            state.had_turn(&next.waiting.asked);
        }
    }

    /// When a rate lets the next of those begin who wait for nothing else.
    pub(crate) fn rate_ready_at(&self) -> Timestamp {
        if self.waiting == 0 || !self.gives() {
            return Timestamp::NEVER;
        }
        let rates = self.routes.iter().filter_map(RouteState::rate_ready_at);
        rates.min().unwrap_or(Timestamp::NEVER)
    }

    /// Hands nothing out until the lines from before a restart are there again: who came first
    /// then is not who was read first now.
    pub(crate) fn hold_back(&mut self, back: bool) {
        self.held_back = back;
    }

    fn gives(&self) -> bool {
        !self.closed && !self.held_back
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
    pub(crate) fn reason_to_wait(
        &self,
        id: RouteId,
        asked: Option<&ScheduleActivity>,
        now: Timestamp,
    ) -> String {
        let limits = asked.map_or(&[][..], |asked| &asked.options.rate_limits);
        if let Some((key, ready_at)) = self.rate_limits.waits_for(limits, now) {
            return format!(
                "waits for rate limit {key} until {}",
                instant::text(ready_at)
            );
        }
        let state = self.routes.get(id.place);
        let activity = asked.map(|asked| &asked.name);
        state.map_or_else(String::new, |state| state.reason_to_wait(activity))
    }

    /// All routes that have a limit, by their places, with nobody in line yet.
    pub(crate) fn live_queues(&self) -> BTreeMap<usize, LiveQueue> {
        let known = self.queues.values().chain(self.services.values());
        let live = known.filter_map(|id| Some((id.place, self.routes.get(id.place)?.live())));
        live.collect()
    }

    /// Hands nothing out from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// How many tasks are out, here and with services, but for open sessions: they wait.
    pub(crate) fn held_count(&self) -> usize {
        let used = |id: &RouteId| self.routes.get(id.place).map_or(0, |state| state.used);
        let sessions: usize = self.sessions.values().map(used).sum();
        self.held.len().saturating_sub(sessions)
    }

    /// How many tasks the host itself holds.
    pub(crate) fn held_locally(&self) -> usize {
        let local = |id: &RouteId| self.routes.get(id.place).map_or(0, |state| state.used);
        let mine = self.queues.values().chain(self.inline.values());
        mine.map(local).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::schedule;

    fn queue(name: &str, maximum_concurrent_activities: usize) -> ServedQueue {
        ServedQueue {
            task_queue: Arc::from(name),
            workflow_types: Vec::new(),
            maximum_concurrent_activities,
            ..ServedQueue::default()
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn name() -> Arc<ScheduleActivity> {
        schedule("parse", None)
    }

    fn place(command_n: u64) -> Place {
        Place {
            since: NOW,
            run: RunId([1; 16]),
            command_n,
        }
    }

    fn pop(slots: &mut Slots, now: Timestamp) -> Option<(RunId, u64)> {
        slots.pop_waiting(now).map(|next| next.which())
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
        slots.enqueue((local, &name()), place(2));
        assert_eq!(pop(&mut slots, NOW), None);
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(3), 7, (local, &name()), NOW),
            "nobody overtakes the line"
        );
        assert_eq!(pop(&mut slots, NOW), Some((RunId([1; 16]), 2)));
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
            slots.reason_to_wait(shop, None, NOW),
            "no worker serves the task queue \"shop\": start a Worker with it"
        );
        slots.serve(&[queue("default", 1), queue("shop", 1)]);
        assert!(slots.try_hold(task(1), 5, (shop, &name()), NOW));
        assert_eq!(
            slots.reason_to_wait(shop, None, NOW),
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
            slots.reason_to_wait(route, None, NOW),
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
    fn a_service_takes_no_more_than_it_may_however_many_workers_it_has() {
        let mut slots = Slots::default();
        let service: Arc<str> = Arc::from("goaudit");
        slots.limit_services(&[(Arc::clone(&service), 1)]);
        let route = slots.route_to_service(&service);
        slots.report(&ServiceReport {
            service,
            slots: 16,
            activities: Vec::new(),
            held: Vec::new(),
        });
        assert!(slots.try_hold(task(1), 5, (route, &name()), NOW));
        assert!(!slots.try_hold(task(2), 5, (route, &name()), NOW));
        assert_eq!(
            slots.reason_to_wait(route, None, NOW),
            "goaudit runs 1 at once, which is its limit"
        );
        slots.release(&task(1));
        assert!(slots.try_hold(task(2), 5, (route, &name()), NOW));
    }

    #[test]
    fn who_waits_for_a_limit_of_its_own_does_not_hold_up_the_line() {
        let mut slots = Slots::default();
        let mut served = queue("default", 3);
        served.activity_limits = vec![(Arc::from("parse"), 1)];
        slots.serve(&[served.clone()]);
        let local = slots.route_to_queue(&Arc::from("default"));
        let other = schedule("other", None);
        let run = RunId([1; 16]);
        assert!(slots.try_hold(task(1), 5, (local, &name()), NOW));
        assert!(!slots.try_hold(task(2), 5, (local, &name()), NOW));
        slots.enqueue((local, &name()), place(2));
        slots.enqueue((local, &name()), place(3));
        slots.enqueue((local, &other), place(4));
        assert_eq!(pop(&mut slots, NOW), Some((run, 4)), "they step aside");
        slots.hold(task(4), 5, (local, Some(&other)), NOW);
        assert_eq!(pop(&mut slots, NOW), None);
        assert!(slots.try_hold(task(5), 5, (local, &other), NOW));
        slots.release(&task(1));
        assert!(
            !slots.try_hold(task(6), 5, (local, &name()), NOW),
            "nobody overtakes those who stepped aside"
        );
        assert_eq!(pop(&mut slots, NOW), Some((run, 2)));
        assert_eq!(pop(&mut slots, NOW), Some((run, 3)), "if 2 wants none");
        slots.enqueue((local, &name()), place(3));
        slots.hold(task(2), 5, (local, Some(&name())), NOW);
        assert_eq!(pop(&mut slots, NOW), None);
        // Without the limit, those who waited for it are in line again.
        slots.serve(&[queue("default", 4)]);
        assert_eq!(pop(&mut slots, NOW), Some((run, 3)));
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
        slots.enqueue((local, &name()), place(2));
        assert_eq!(pop(&mut slots, NOW), None);
        let ready_at = slots.rate_ready_at();
        assert_eq!(ready_at.as_micros(), NOW.as_micros() + 500_001);
        assert_eq!(pop(&mut slots, ready_at), Some((run, 2)));
    }
}
