//! Where in workflow code a command was issued.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;

use perdure_history::Site;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::event_loop::GilCell;

/// How many instructions are remembered; when there are more, all are forgotten.
const KNOWN_SITES_MAX: usize = 10_000;

/// Sites by the instruction that called: the address of its code, and where in it. An entry keeps
/// the code alive, so that no other code can come to lie there.
static KNOWN: GilCell<BTreeMap<(usize, c_int), Known>> = GilCell::new(BTreeMap::new());

/// A site and the code that it lies in.
struct Known {
    site: Arc<Site>,
    _code: Py<PyAny>,
}

/// The instruction that called native code, in the innermost Python frame.
struct Instruction<'py> {
    code: Bound<'py, PyAny>,
    offset: c_int,
}

impl<'py> Instruction<'py> {
    fn current(py: Python<'py>) -> Option<Self> {
        // SAFETY: the thread is attached; the frame is borrowed, and runs until we return.
        let frame = unsafe { ffi::PyEval_GetFrame() };
        if frame.is_null() {
            return None;
        }
        // SAFETY: a frame has a code, of which this is a new reference.
        let code = unsafe { Bound::from_owned_ptr(py, ffi::PyFrame_GetCode(frame).cast()) };
        // SAFETY: as above.
        let offset = unsafe { ffi::PyFrame_GetLasti(frame) };
        Some(Self { code, offset })
    }

    fn key(&self) -> (usize, c_int) {
        (self.code.as_ptr() as usize, self.offset)
    }

    /// Whether the site lies right here, and not in a frame further out.
    fn is(&self, site: &Site) -> PyResult<bool> {
        let py = self.code.py();
        let file = self.code.getattr(pyo3::intern!(py, "co_filename"))?;
        let function = self.code.getattr(pyo3::intern!(py, "co_qualname"))?;
        // SAFETY: the thread is attached, and the frame that called us runs until we return.
        let line = unsafe { ffi::PyFrame_GetLineNumber(ffi::PyEval_GetFrame()) };
        Ok(i64::from(line) == i64::from(site.line)
            && *file.extract::<String>()? == *site.file
            && *function.extract::<String>()? == *site.function)
    }
}

/// Where workflow code is now: remembered by the instruction, or what `find` says.
pub(super) fn current<'py>(
    py: Python<'py>,
    find: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Arc<Site>> {
    let here = Instruction::current(py);
    if let Some(here) = &here {
        let known = |known: &mut BTreeMap<_, Known>| {
            let found: Option<&Known> = known.get(&here.key());
            found.map(|known| Arc::clone(&known.site))
        };
        if let Some(site) = KNOWN.with(py, known) {
            return Ok(site);
        }
    }
    let site = Arc::clone(&find()?.cast::<CallSite>()?.get().0);
    if let Some(here) = here
        && here.is(&site)?
    {
        let (key, entry) = (
            here.key(),
            Known {
                site: Arc::clone(&site),
                _code: here.code.unbind(),
            },
        );
        let forgotten = KNOWN.with(py, |known| {
            let forgotten = if known.len() < KNOWN_SITES_MAX {
                BTreeMap::new()
            } else {
                std::mem::take(known)
            };
            (known.insert(key, entry), forgotten)
        });
        drop(forgotten);
    }
    Ok(site)
}

/// A call site, made once for each place and shared by every command issued there.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct CallSite(pub(crate) Arc<Site>);

#[pymethods]
impl CallSite {
    #[new]
    fn new(file: &str, line: u32, function: &str, source_hash: u64) -> Self {
        let (file, function) = (file.into(), function.into());
        Self(Arc::new(Site {
            file,
            line,
            function,
            source_hash,
        }))
    }

    #[getter]
    fn file(&self) -> &str {
        &self.0.file
    }

    #[getter]
    fn line(&self) -> u32 {
        self.0.line
    }

    #[getter]
    fn function(&self) -> &str {
        &self.0.function
    }
}
