//! Where in workflow code a command was issued.

use std::sync::Arc;

use perdure_history::Site;
use pyo3::prelude::*;

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
