//! Who holds the host's loop, and since when; and the one way to take it back from workflow code
//! that never gives it back.
//!
//! Everything here happens under the interpreter lock. So an interruption is raised in the holder's
//! own code, or in `leave`, which swallows it: it can never reach code that comes later.

use std::ffi::c_long;
use std::time::Instant;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::event_loop::GilCell;
use crate::instance::InstanceCore;

struct Holding {
    holder: Py<InstanceCore>,
    number: u64,
    /// Whether it only reads the state of the run, which then goes on as it was.
    reads: bool,
    since: Instant,
    /// The class that was raised in it, if it was interrupted.
    interruption: Option<Py<PyAny>>,
}

struct State {
    holding: Option<Holding>,
    count: u64,
}

/// The stretches for which one thread's loop belongs to somebody, numbered.
#[pyclass(frozen, module = "perdure._core._native")]
struct Hold {
    thread_id: c_long,
    state: GilCell<State>,
}

#[pymethods]
impl Hold {
    /// For the thread with this `threading.get_ident()`.
    #[new]
    fn new(thread_id: c_long) -> Self {
        let state = GilCell::new(State {
            holding: None,
            count: 0,
        });
        Self { thread_id, state }
    }

    /// The holder's code is about to have the loop. Called on the thread itself.
    #[pyo3(signature = (holder, *, reads))]
    fn enter(&self, py: Python<'_>, holder: Py<InstanceCore>, reads: bool) {
        let previous = self.state.with(py, |state| {
            state.count = state.count.wrapping_add(1);
            state.holding.replace(Holding {
                holder,
                number: state.count,
                reads,
                since: Instant::now(),
                interruption: None,
            })
        });
        drop(previous);
    }

    /// The holder has given the loop back; says whether it was interrupted meanwhile.
    fn leave(&self, py: Python<'_>) -> PyResult<bool> {
        let holding = self.state.with(py, |state| state.holding.take());
        let class = holding.and_then(|holding| holding.interruption);
        let Some(class) = class else {
            return Ok(false);
        };
        // An interruption not yet raised is raised here, by the first instruction of empty code.
        // Taking it back with NULL would leave CPython's flag for it set for ever, and 3.11 loops
        // on that flag when it profiles.
        match py.run(c"", None, None) {
            Err(error) if !error.matches(py, &class)? => Err(error),
            _ => Ok(true),
        }
    }

    /// Who holds the loop now: its number, its seconds so far, and the holder.
    fn held(&self, py: Python<'_>) -> Option<(u64, f64, Py<InstanceCore>)> {
        self.state.with(py, |state| {
            state.holding.as_ref().map(|holding| {
                let seconds = holding.since.elapsed().as_secs_f64();
                (holding.number, seconds, holding.holder.clone_ref(py))
            })
        })
    }

    /// Raises the class in the thread, if that stretch still lasts; says whether it does. Whatever
    /// the code makes of it, its turn goes no further than the event being delivered.
    fn interrupt(&self, py: Python<'_>, number: u64, class: &Bound<'_, PyAny>) -> bool {
        let lasts = self.state.with(py, |state| {
            let holding = state.holding.as_mut();
            let Some(holding) = holding.filter(|holding| holding.number == number) else {
                return false;
            };
            let before = holding.interruption.replace(class.clone().unbind());
            if !holding.reads {
                holding.holder.get().stop(py);
            }
            drop(before);
            true
        });
        if lasts {
            // SAFETY: the thread is attached and the class alive; CPython takes its own reference.
            unsafe { ffi::PyThreadState_SetAsyncExc(self.thread_id, class.as_ptr()) };
        }
        lasts
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Hold>()
}
