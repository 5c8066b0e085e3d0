//! One route: its slots, its rate, the limits of its activities, and who waits for which of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use perdure_history::{ScheduleActivity, Timestamp};
use rustc_hash::FxHashMap;

use crate::hosted;
use crate::input::ServedQueue;
use crate::line::{Line, Waiting};
use crate::queues::LiveQueue;
use crate::rate::Rate;
use crate::rate_limits::RateLimits;
use crate::rated::Rated;
use crate::task::Route;

/// How many attempts of one activity its queue takes at once.
#[derive(Debug, Default)]
struct Limit {
    most: usize,
    used: usize,
    /// Who waits for this limit alone: they do not hold up the line of the route.
    aside: Line,
    /// Whether one of them is back in the line, and has not come to its head.
    called: bool,
}

#[derive(Debug)]
pub(crate) struct RouteState {
    pub(crate) route: Route,
    /// How many its workers take.
    pub(crate) limit: usize,
    /// How many it may have at once, however many its workers take.
    pub(crate) most: usize,
    pub(crate) used: usize,
    line: Line,
    limits: FxHashMap<Arc<str>, Limit>,
    rated: Rated,
    pub(crate) rate: Option<Rate>,
    /// Whether nobody serves it: a queue until the host says otherwise, a service by its report.
    pub(crate) absent: bool,
}

impl RouteState {
    pub(crate) fn new(route: Route, limit: usize) -> Self {
        Self {
            route,
            limit,
            most: usize::MAX,
            used: 0,
            line: Line::default(),
            limits: FxHashMap::default(),
            rated: Rated::default(),
            rate: None,
            absent: false,
        }
    }

    /// What the host says of the queue; what is under way counts on.
    pub(crate) fn serve(&mut self, queue: &ServedQueue) {
        self.limit = queue.maximum_concurrent_activities;
        self.absent = false;
        let per_second = queue.maximum_activities_per_second;
        let same = |rate: &Rate| per_second.is_some_and(|wanted| rate.is_of(wanted));
        if !self.rate.as_ref().is_some_and(same) {
            self.rate = per_second.and_then(Rate::new);
        }
        for limit in self.limits.values_mut() {
            limit.most = usize::MAX;
            while let Some(waiting) = limit.aside.pop() {
                self.line.insert(waiting);
            }
        }
        for (name, most) in &queue.activity_limits {
            self.limits.entry(Arc::clone(name)).or_default().most = *most;
        }
    }

    /// Whether an attempt may begin at once: nobody waits before it, and nothing holds it up.
    pub(crate) fn is_free_for(
        &mut self,
        asked: &ScheduleActivity,
        rates: &RateLimits,
        now: Timestamp,
    ) -> bool {
        let limits = &asked.options.rate_limits;
        let rated = limits.is_empty()
            || (!self.rated.has_waiting(limits) && rates.waits_for(limits, now).is_none());
        rated && self.line.is_empty() && !self.is_limited(&asked.name) && self.is_free(now)
    }

    /// Whether a slot is free and the rate lets an activity begin.
    fn is_free(&mut self, now: Timestamp) -> bool {
        self.has_slot() && self.rate.as_mut().is_none_or(|rate| rate.is_ready(now))
    }

    fn has_slot(&self) -> bool {
        self.used < self.limit.min(self.most)
    }

    /// Whether an activity runs as often as it may.
    pub(crate) fn is_limited(&self, activity: &Arc<str>) -> bool {
        let limit = self.limits.get(activity);
        limit.is_some_and(|limit| limit.used >= limit.most || !limit.aside.is_empty())
    }

    /// A slot is taken.
    pub(crate) fn take(&mut self) {
        self.used += 1;
        if let Some(rate) = &mut self.rate {
            rate.take();
        }
    }

    /// Counts an attempt towards its activity's limit, if it has one.
    pub(crate) fn take_limit(&mut self, activity: &Arc<str>) -> Option<Arc<str>> {
        let limit = self.limits.get_mut(activity)?;
        limit.used += 1;
        Some(Arc::clone(activity))
    }

    /// An attempt is over.
    pub(crate) fn give_back(&mut self, limited: Option<&Arc<str>>) {
        self.used = self.used.saturating_sub(1);
        if let Some(limit) = limited.and_then(|activity| self.limits.get_mut(activity)) {
            limit.used = limit.used.saturating_sub(1);
        }
    }

    /// Puts an attempt in line.
    pub(crate) fn enqueue(&mut self, waiting: Waiting) {
        self.line.insert(waiting);
    }

    /// When the rate lets the next begin of those who wait for nothing else.
    pub(crate) fn rate_ready_at(&self) -> Option<Timestamp> {
        if !self.has_slot() {
            return None;
        }
        let rate = self.rate.filter(|_| !self.line.is_empty());
        let ready_at = rate.map(|rate| rate.ready_at());
        ready_at.into_iter().chain(self.rated.ready_at()).min()
    }

    /// One of those who wait for a limit that has room is in line again, in its old place. It may
    /// no longer want that, so this is looked at before each slot that is given, not when there
    /// comes to be room.
    fn recall(&mut self) {
        for limit in self.limits.values_mut() {
            if limit.used < limit.most
                && !limit.called
                && let Some(next) = limit.aside.pop()
            {
                limit.aside.charge(&next.asked);
                limit.called = true;
                self.line.insert(next);
            }
        }
    }

    /// The first in line that may begin; those who wait for a limit of their own step aside.
    pub(crate) fn pop_waiting(&mut self, rates: &RateLimits, now: Timestamp) -> Option<Waiting> {
        self.recall();
        while let Some(next) = self.rated.recall(now) {
            self.line.insert(next);
        }
        if self.line.is_empty() || !self.is_free(now) {
            return None;
        }
        while let Some(first) = self.line.pop() {
            self.rated.came(&first.asked.options.rate_limits, now);
            if let Some(limit) = self.limits.get_mut(&first.asked.name) {
                limit.called = false;
                if limit.used >= limit.most {
                    limit.aside.insert(first);
                    continue;
                }
            }
            match rates.waits_for(&first.asked.options.rate_limits, now) {
                None => return Some(first),
                Some((key, ready_at)) => {
                    let key = Arc::clone(key);
                    self.rated.put_aside(&key, first, ready_at, now);
                }
            }
        }
        None
    }

    /// One that was taken out of the line got a slot: its fairness key has had a turn.
    pub(crate) fn had_turn(&mut self, asked: &ScheduleActivity) {
        self.line.charge(asked);
    }

    /// How it stands, with nobody in line yet.
    pub(crate) fn live(&self) -> LiveQueue {
        LiveQueue {
            route: self.route.clone(),
            is_served: !self.absent,
            slots: self.limit.min(self.most),
            running: self.used,
            per_second: self.rate.as_ref().map(Rate::per_second),
            backlog: BTreeMap::new(),
            reasons: BTreeMap::new(),
        }
    }

    /// Why an attempt in line is not handed out, for people.
    pub(crate) fn reason_to_wait(&self, activity: Option<&Arc<str>>) -> String {
        if let Some(activity) = activity.filter(|activity| self.is_limited(activity)) {
            return format!("the activity {activity} runs as often at once as it may");
        }
        match &self.route {
            Route::TaskQueue(_) if self.limit == usize::MAX => {
                "the run's code is not loaded yet".to_owned()
            }
            Route::TaskQueue(queue) if self.absent => hosted::no_worker(queue),
            Route::TaskQueue(queue) => {
                let (queue, _) = hosted::line_parts(queue);
                format!(
                    "all {} slots of the task queue {queue} are taken",
                    self.limit
                )
            }
            Route::Service(service) if self.absent => format!("no worker of {service} is alive"),
            Route::Service(service) if self.used >= self.most => {
                format!("{service} runs {} at once, which is its limit", self.used)
            }
            Route::Service(service) => {
                format!("all {} slots of {service} are taken", self.limit)
            }
        }
    }
}
