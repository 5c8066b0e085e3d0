//! Where a NATS server is, and as whom to speak to it.

use std::path::PathBuf;

use async_nats::{ConnectOptions, Event};
use tokio::sync::mpsc;

/// An address with credentials; every field but `url` is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatsAddress {
    /// One or more comma-separated addresses, such as `nats://127.0.0.1:4222`.
    pub url: String,
    /// A token.
    pub token: Option<String>,
    /// A user and a password.
    pub user: Option<(String, String)>,
    /// A credentials file.
    pub credentials_file: Option<PathBuf>,
    /// A file that holds an nkey seed.
    pub nkey_seed_file: Option<PathBuf>,
    /// A certificate authority's file, for TLS.
    pub authority_file: Option<PathBuf>,
    /// A client certificate's file and its key's file.
    pub certificate_files: Option<(PathBuf, PathBuf)>,
}

/// Why no connection can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// The address is malformed.
    #[error("{url:?} is no NATS address: write nats://host:port")]
    Address {
        /// What was given.
        url: String,
    },
    /// A credentials file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The server refuses these credentials.
    #[error("the server at {url} refuses these credentials: check token, user, nkey or creds")]
    Credentials {
        /// The address.
        url: String,
    },
    /// The TLS handshake failed: one side does not take the other's certificate.
    #[error(
        "the TLS handshake with {url} failed ({reason}): check authority_file and certificate_files"
    )]
    Certificate {
        /// The address.
        url: String,
        /// What the client or the server said.
        reason: String,
    },
    /// The server cannot be reached.
    #[error("no NATS server answers at {url}: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// What the client said.
        reason: String,
    },
    /// The thread for the connection could not run.
    #[error("the thread for the NATS connection could not run: {0}")]
    Thread(String),
}

impl NatsAddress {
    /// Connects once; later losses are mended by the client for ever, and told as events.
    pub(crate) async fn connect(
        &self,
    ) -> Result<(async_nats::Client, mpsc::UnboundedReceiver<Event>), NatsError> {
        let servers: Vec<async_nats::ServerAddr> = self
            .url
            .split(',')
            .map(|each| each.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| NatsError::Address {
                url: self.url.clone(),
            })?;
        let (sender, events) = mpsc::unbounded_channel();
        let tell = move |event| {
            // Nobody listens any more when the transport has been dropped.
            let _ = sender.send(event);
            std::future::ready(())
        };
        let options = self.options().await?.name("perdure").max_reconnects(None);
        let options = options.event_callback(tell);
        let client = options.connect(servers).await;
        Ok((client.map_err(|error| self.why(&error))?, events))
    }

    fn why(&self, error: &async_nats::ConnectError) -> NatsError {
        use async_nats::ConnectErrorKind as Kind;
        let (url, reason) = (self.url.clone(), error.to_string());
        match error.kind() {
            Kind::Authentication | Kind::AuthorizationViolation => NatsError::Credentials { url },
            Kind::Tls => NatsError::Certificate { url, reason },
            Kind::Io if reason.contains("certificate") => NatsError::Certificate { url, reason },
            Kind::Io if self.authority_file.is_some() && is_cut_short(error) => {
                NatsError::Certificate { url, reason }
            }
            _ => NatsError::Unreachable { url, reason },
        }
    }

    async fn options(&self) -> Result<ConnectOptions, NatsError> {
        let unreadable = |path: &PathBuf, error: &dyn std::fmt::Display| NatsError::File {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut options = ConnectOptions::new();
        if let Some(token) = &self.token {
            options = options.token(token.clone());
        }
        if let Some((user, password)) = &self.user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if let Some(path) = &self.nkey_seed_file {
            let seed = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            options = options.nkey(seed.trim().to_owned());
        }
        if let Some(path) = &self.credentials_file {
            let read = options.credentials_file(path).await;
            options = read.map_err(|error| unreadable(path, &error))?;
        }
        if let Some(path) = &self.authority_file {
            options = options
                .add_root_certificates(path.clone())
                .require_tls(true);
        }
        if let Some((certificate, key)) = &self.certificate_files {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options)
    }
}

/// Whether a connection that stood was ended: under TLS 1.3 a server refuses a client's certificate
/// only when the handshake has ended for the client.
fn is_cut_short(error: &async_nats::ConnectError) -> bool {
    use std::io::ErrorKind;
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::InvalidData
                | ErrorKind::UnexpectedEof
                | ErrorKind::BrokenPipe
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
        )
    })
}
