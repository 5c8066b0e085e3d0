//! The native half of the loop: its state and the methods that asyncio calls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyWeakrefReference};

use super::call::Call;
use super::creation_order::CreationOrder;
use super::fast_methods::{self, Scheduled};
use super::gil_cell::GilCell;
use super::handle::Handle;
use super::ready_queue::ReadyQueue;
use super::{resolve, slice, task_callbacks};

const MICROS_PER_SECOND: f64 = 1_000_000.0;
/// About 31,700 years: beyond any timer that means something, far below what overflows.
const DELAY_MAX_SECONDS: f64 = 1e12;

/// The state of one run's loop. `WorkflowLoop` in Python inherits from it.
///
/// `timers` is whatever starts and cancels durable timers: `start_timer(fire_at_us) -> id` and
/// `cancel_timer(id)`.
#[pyclass(subclass, frozen, module = "perdure._core._native")]
pub(crate) struct LoopCore {
    timer_source: GilCell<Option<Py<PyAny>>>,
    queue: GilCell<ReadyQueue>,
    timers: GilCell<HashMap<u64, Py<Handle>>>,
    tasks: GilCell<CreationOrder>,
    generators: GilCell<CreationOrder>,
    root_context: GilCell<Option<Py<PyAny>>>,
    first_us: AtomicI64,
    now_us: AtomicI64,
    monotonic_us: AtomicI64,
    dead: AtomicBool,
    halted: AtomicBool,
    reading: AtomicBool,
    replaying: AtomicBool,
}

impl LoopCore {
    /// Runs no callback any more: the run has closed, or a bug has stopped it.
    pub(crate) fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// Whether recorded history is being delivered.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replaying.load(Ordering::Relaxed)
    }

    /// Whether a query is being answered, which may change nothing.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Relaxed)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(crate) fn now_us_value(&self) -> i64 {
        self.now_us.load(Ordering::Relaxed)
    }

    /// Moves the run's clock to the event being delivered.
    pub(crate) fn advance(&self, now_us: i64, replaying: bool) {
        self.replaying.store(replaying, Ordering::Relaxed);
        self.now_us.store(now_us, Ordering::Relaxed);
        self.monotonic_us.fetch_max(now_us, Ordering::Relaxed);
    }

    /// Microseconds since the run began; never steps back.
    pub(crate) fn elapsed_us(&self) -> i64 {
        self.monotonic_us.load(Ordering::Relaxed) - self.first_us.load(Ordering::Relaxed)
    }

    pub(crate) fn push(&self, py: Python<'_>, call: Call) {
        self.queue.with(py, |queue| queue.push(call));
    }

    pub(crate) fn pop(&self, py: Python<'_>) -> Option<Call> {
        if self.is_halted() {
            return None;
        }
        self.queue.with(py, ReadyQueue::pop)
    }

    /// Notes an asynchronous generator at its first iteration.
    pub(crate) fn add_generator(&self, generator: &Bound<'_, PyAny>) -> PyResult<()> {
        let reference = PyWeakrefReference::new(generator)?.unbind();
        let swept = self
            .generators
            .with(generator.py(), |all| all.add(generator, reference, false));
        drop(swept);
        Ok(())
    }

    /// A task is done: from now on it lives as long as somebody holds it.
    pub(crate) fn task_is_done(&self, task: &Bound<'_, PyAny>) {
        let kept = self.tasks.with(task.py(), |tasks| tasks.let_go(task));
        drop(kept);
    }

    /// Forgets a generator that is being finalized; says whether it was this run's.
    pub(crate) fn remove_generator(&self, generator: &Bound<'_, PyAny>) -> bool {
        let swept = self
            .generators
            .with(generator.py(), |all| all.remove(generator));
        swept.is_some()
    }

    /// A handle was cancelled before its durable timer fired.
    pub(crate) fn cancel_timer(&self, py: Python<'_>, id: u64) -> PyResult<()> {
        let handle = self.timers.with(py, |timers| timers.remove(&id));
        if handle.is_none() || self.is_dead() {
            return Ok(());
        }
        if let Some(source) = self.source(py) {
            source.call_method1(py, pyo3::intern!(py, "cancel_timer"), (id,))?;
        }
        Ok(())
    }

    pub(crate) fn root_context(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(context) = self.root_context.with(py, |root| {
            root.as_ref().map(|context| context.clone_ref(py))
        }) {
            return Ok(context);
        }
        // SAFETY: the thread is attached; the result is an owned reference or an error.
        let context =
            unsafe { Bound::from_owned_ptr_or_err(py, pyo3::ffi::PyContext_New()) }?.unbind();
        let replaced = self
            .root_context
            .with(py, |root| root.replace(context.clone_ref(py)));
        drop(replaced);
        Ok(context)
    }

    /// What starts the run's timers; gone once the run is dead.
    pub(crate) fn source(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.timer_source.with(py, |source| {
            source.as_ref().map(|source| source.clone_ref(py))
        })
    }

    /// Starts the durable timer behind a delay, or queues the callback when it is due already.
    fn schedule(
        slf: &Bound<'_, Self>,
        delay: f64,
        callback: Py<PyAny>,
        arguments: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        let py = slf.py();
        let core = slf.get();
        fast_methods::admit(slf, Scheduled::Timer)?;
        if !delay.is_finite() || delay > DELAY_MAX_SECONDS {
            return Err(PyValueError::new_err(format!(
                "a timer cannot wait {delay} seconds: give a finite delay of at most \
                 {DELAY_MAX_SECONDS} seconds, or asyncio.timeout(None) for none"
            )));
        }
        let context = match context {
            Some(context) => context,
            None => fast_methods::copy_context(py)?,
        };
        let when = core.time() + delay;
        let handle = Py::new(py, Handle::new(callback, arguments, context, when))?;
        if delay <= 0.0 {
            core.queue
                .with(py, |queue| queue.push_due(when, handle.clone_ref(py)));
            return Ok(handle);
        }
        let Some(source) = core.source(py) else {
            return Ok(handle);
        };
        let fire_at_us = core.now_us_value().saturating_add(delay_us(delay));
        let id: u64 = source
            .call_method1(py, pyo3::intern!(py, "start_timer"), (fire_at_us,))?
            .extract(py)?;
        handle.get().set_timer(py, slf.clone().unbind(), id);
        core.timers
            .with(py, |timers| timers.insert(id, handle.clone_ref(py)));
        Ok(handle)
    }
}

/// Whole microseconds, rounded up so that no timer fires early; a remainder smaller than what
/// adding and subtracting loop times leaves behind does not count.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the caller bounds the delay"
)]
fn delay_us(delay: f64) -> i64 {
    (delay * MICROS_PER_SECOND - 1e-3).ceil() as i64
}

#[pymethods]
impl LoopCore {
    #[new]
    fn new(timers: Py<PyAny>, now_us: i64) -> Self {
        Self {
            timer_source: GilCell::new(Some(timers)),
            queue: GilCell::new(ReadyQueue::default()),
            timers: GilCell::new(HashMap::new()),
            tasks: GilCell::new(CreationOrder::new()),
            generators: GilCell::new(CreationOrder::new()),
            root_context: GilCell::new(None),
            first_us: AtomicI64::new(now_us),
            now_us: AtomicI64::new(now_us),
            monotonic_us: AtomicI64::new(now_us),
            dead: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            reading: AtomicBool::new(false),
            replaying: AtomicBool::new(false),
        }
    }

    /// Seconds since the run began, in the run's own time.
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact for 285 years of microseconds"
    )]
    pub(crate) fn time(&self) -> f64 {
        self.elapsed_us() as f64 / MICROS_PER_SECOND
    }

    /// The recorded instant that the workflow sees as now.
    #[getter]
    fn now_us(&self) -> i64 {
        self.now_us_value()
    }

    /// Moves the run's clock. The loop's own time never steps back.
    fn set_now(&self, now_us: i64) {
        self.now_us.store(now_us, Ordering::Relaxed);
        self.monotonic_us.fetch_max(now_us, Ordering::Relaxed);
    }

    #[pyo3(signature = (delay, callback, *arguments, context=None))]
    fn call_later(
        slf: &Bound<'_, Self>,
        delay: f64,
        callback: Py<PyAny>,
        arguments: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        Self::schedule(slf, delay, callback, arguments, context)
    }

    #[pyo3(signature = (when, callback, *arguments, context=None))]
    fn call_at(
        slf: &Bound<'_, Self>,
        when: f64,
        callback: Py<PyAny>,
        arguments: Py<PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Py<Handle>> {
        let delay = when - slf.get().time();
        Self::schedule(slf, delay, callback, arguments, context)
    }

    pub(crate) fn create_future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        fast_methods::admit(slf, Scheduled::Future)?;
        task_callbacks::new_future(slf)
    }

    /// Options that later Pythons add (`eager_start`) pass through to `asyncio.Task`.
    #[pyo3(signature = (coro, *, name=None, **options))]
    fn create_task<'py>(
        slf: &Bound<'py, Self>,
        coro: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        fast_methods::admit(slf, Scheduled::Task)?;
        let py = slf.py();
        let tasks = &slf.get().tasks;
        let task = match name {
            Some(name) => task_callbacks::new_task(slf, coro, name, options),
            None => {
                let name = format!("Task-{}", tasks.with(py, |tasks| tasks.next_number()));
                task_callbacks::new_task(slf, coro, PyString::new(py, &name).as_any(), options)
            }
        }?;
        let reference = PyWeakrefReference::new(&task)?.unbind();
        let keeps = task_callbacks::tells_when_done(&task)?;
        let swept = tasks.with(py, |tasks| tasks.add(&task, reference, keeps));
        drop(swept);
        Ok(task)
    }

    /// Runs the callback of a durable timer at the next `run_until_idle`. False when the timer is
    /// not pending: it was cancelled, or fired before.
    pub(crate) fn fire_timer(&self, py: Python<'_>, id: u64) -> bool {
        let Some(handle) = self.timers.with(py, |timers| timers.remove(&id)) else {
            return false;
        };
        handle.get().forget_timer(py);
        self.push(py, Call::Handle(handle));
        true
    }

    /// Runs what is ready, and what that makes ready, until nothing is. False when `budget_us`
    /// was used up first: call again later.
    #[pyo3(signature = (budget_us=None))]
    fn run_until_idle(slf: &Bound<'_, Self>, budget_us: Option<u64>) -> PyResult<bool> {
        slice::run(slf, budget_us)
    }

    /// Calls `callback(*arguments)` as the run's own code, in the run's root context.
    #[pyo3(signature = (callback, *arguments))]
    fn inside<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slice::inside(slf, callback, arguments)
    }

    /// As `inside`, for code that may only look: it can schedule nothing. The run's own code may
    /// also call this, in the middle of a slice.
    #[pyo3(signature = (callback, *arguments))]
    fn inside_reading<'py>(
        slf: &Bound<'py, Self>,
        callback: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let reading = &slf.get().reading;
        reading.store(true, Ordering::Relaxed);
        let outcome = if crate::current::is(slf) {
            callback.call1(arguments)
        } else {
            slice::inside(slf, callback, arguments)
        };
        reading.store(false, Ordering::Relaxed);
        outcome
    }

    /// Resolves the futures in `waiting` with None, oldest first, each to idle, until the list is
    /// empty. Gives how many there were.
    fn resolve_in_turn(slf: &Bound<'_, Self>, waiting: &Bound<'_, PyList>) -> PyResult<usize> {
        resolve::in_turn(slf, waiting)
    }

    /// The number of a task in the order of creation; None for anything else.
    fn creation_number(&self, task: &Bound<'_, PyAny>) -> Option<u64> {
        self.tasks.with(task.py(), |tasks| tasks.number(task))
    }

    /// The tasks that still exist, done or not, oldest first. Those that are not done always do.
    fn tasks<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        self.tasks.with(py, |tasks| tasks.alive(py))
    }

    /// The asynchronous generators that were begun and still exist, oldest first.
    fn generators<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        self.generators.with(py, |generators| generators.alive(py))
    }

    #[getter]
    fn pending_timers(&self, py: Python<'_>) -> usize {
        self.timers.with(py, |timers| timers.len())
    }

    #[getter]
    fn is_idle(&self, py: Python<'_>) -> bool {
        self.queue.with(py, |queue| queue.is_empty())
    }

    /// Whether recorded history is being delivered: it mutes what was logged before.
    #[getter]
    fn replaying(&self) -> bool {
        self.is_replaying()
    }

    #[setter]
    fn set_replaying(&self, replaying: bool) {
        self.replaying.store(replaying, Ordering::Relaxed);
    }

    #[getter]
    fn dead(&self) -> bool {
        self.is_dead()
    }

    /// Marks the run dead and forgets everything scheduled. From now on nothing can be scheduled
    /// and no command can be issued.
    fn kill(&self, py: Python<'_>) {
        self.dead.store(true, Ordering::Relaxed);
        self.release(py);
    }

    /// Lets go of every object it holds, so that no reference cycle outlives the run.
    fn release(&self, py: Python<'_>) {
        let queue = self.queue.with(py, std::mem::take);
        let timers = self.timers.with(py, std::mem::take);
        for handle in timers.values().chain(queue.handles()) {
            handle.get().forget(py);
        }
        let source = self.timer_source.with(py, Option::take);
        let context = self.root_context.with(py, Option::take);
        let tasks = self.tasks.with(py, CreationOrder::let_all_go);
        drop((queue, timers, source, context, tasks));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.timer_source
            .traverse(|source| visit.call(source))
            .unwrap_or(Ok(()))?;
        self.root_context
            .traverse(|context| visit.call(context))
            .unwrap_or(Ok(()))?;
        self.timers
            .traverse(|timers| timers.values().try_for_each(|handle| visit.call(handle)))
            .unwrap_or(Ok(()))?;
        self.tasks
            .traverse(|tasks| tasks.visit(&visit))
            .unwrap_or(Ok(()))?;
        self.queue
            .traverse(|queue| queue.visit(&visit))
            .unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.kill(py);
        let tasks = self.tasks.with(py, CreationOrder::take);
        let generators = self.generators.with(py, CreationOrder::take);
        drop((tasks, generators));
    }
}
