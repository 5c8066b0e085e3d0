//! Ways to foreign workers, from what Python was configured with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use perdure_engine::{ReportSink, Transport};
use perdure_transport::{
    NatsAddress, NatsError, NatsOptions, NatsServer, NatsTransport, StdioCommand, StdioOptions,
    StdioTransport,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;

/// `(service, program, arguments, directory, environment, processes)`.
pub(super) type StdioFields = (
    String,
    String,
    Vec<String>,
    Option<PathBuf>,
    Vec<(String, String)>,
    usize,
);

pub(super) fn stdio(commands: Vec<StdioFields>, sink: ReportSink) -> Arc<dyn Transport> {
    let commands = commands
        .into_iter()
        .map(
            |(service, program, arguments, directory, environment, processes)| StdioCommand {
                service,
                program,
                arguments,
                directory,
                environment,
                processes,
            },
        )
        .collect();
    Arc::new(StdioTransport::start(
        commands,
        StdioOptions::default(),
        sink,
    ))
}

pub(super) fn address(fields: Option<&Bound<'_, PyDict>>) -> PyResult<NatsAddress> {
    let mut address = NatsAddress::default();
    let Some(fields) = fields else {
        return Ok(address);
    };
    for (name, value) in fields {
        let name: String = name.extract()?;
        match name.as_str() {
            "url" => address.url = value.extract()?,
            "token" => address.token = value.extract()?,
            "user" => address.user = value.extract()?,
            "credentials_file" => address.credentials_file = value.extract()?,
            "nkey_seed_file" => address.nkey_seed_file = value.extract()?,
            "authority_file" => address.authority_file = value.extract()?,
            "certificate_files" => address.certificate_files = value.extract()?,
            other => {
                let message = format!("no field of a NATS address is called {other:?}");
                return Err(pyo3::exceptions::PyTypeError::new_err(message));
            }
        }
    }
    Ok(address)
}

pub(super) fn connect(
    address: NatsAddress,
    namespace: &str,
    sink: ReportSink,
) -> Result<Arc<dyn Transport>, NatsError> {
    let transport = NatsTransport::connect(address, namespace, NatsOptions::default(), sink)?;
    Ok(Arc::new(transport))
}

/// A nats-server of one's own, until it is stopped or dropped.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct NatsChild {
    server: Mutex<Option<NatsServer>>,
    url: String,
    token: String,
}

#[pymethods]
impl NatsChild {
    #[new]
    fn new(py: Python<'_>, program: PathBuf, directory: PathBuf, token: String) -> PyResult<Self> {
        let started = py.detach(|| NatsServer::start(&program, &directory, token));
        let server = started.map_err(|error| errors::server_error(py, &error))?;
        let (url, token) = (server.url.clone(), server.token.clone());
        Ok(Self {
            server: Mutex::new(Some(server)),
            url,
            token,
        })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[getter]
    fn token(&self) -> &str {
        &self.token
    }

    /// Ends the server.
    fn stop(&self, py: Python<'_>) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        py.detach(|| drop(server));
    }
}
