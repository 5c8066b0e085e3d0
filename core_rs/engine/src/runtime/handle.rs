//! The way into the runtime from other threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;

use crate::input::Input;
use crate::transport::ReportSink;

/// Puts inputs in line and wakes the host's thread, once a pump.
#[derive(Clone)]
pub struct RuntimeHandle {
    sender: Sender<Input>,
    waker: Arc<dyn Fn() + Send + Sync>,
    woken: Arc<AtomicBool>,
}

impl std::fmt::Debug for RuntimeHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("RuntimeHandle")
    }
}

impl RuntimeHandle {
    pub(crate) fn new(sender: Sender<Input>, waker: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            sender,
            waker: Arc::new(waker),
            woken: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Hands one input over. Never blocks; after the runtime has ended, the input is dropped.
    pub fn submit(&self, input: Input) {
        if self.sender.send(input).is_ok() {
            self.wake();
        }
    }

    /// Wakes the host's thread, unless it has been woken since its last pump.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            (self.waker)();
        }
    }

    /// What comes in from now on wakes again. Called before the line is emptied, so that nothing
    /// is left in it without a wake-up.
    pub(crate) fn begin_pump(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// A sink for transports.
    #[must_use]
    pub fn sink(&self) -> ReportSink {
        let handle = self.clone();
        ReportSink::new(move |input| handle.submit(input))
    }
}
