//! Failures: a chain is a flat array, outermost first, so that neither side recurses.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::common::{
    read_option, read_optional_duration, read_optional_payload, read_string, write_option,
    write_optional_duration, write_optional_payload,
};
use super::reader::{FieldsReader, Reader};
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::failure::{Failure, FailureKind, RetryState, TimeoutKind};
use crate::ids::RunId;

/// Most failures in a chain; deeper causes are cut off when written, and refused when read.
pub(crate) const MAXIMUM_CHAIN: usize = 1_000;

pub(crate) fn write_failure(writer: &mut Writer, failure: &Failure) {
    let chain = || {
        core::iter::successors(Some(failure), |failure| failure.cause.as_deref())
            .take(MAXIMUM_CHAIN)
    };
    writer.array(chain().count());
    for failure in chain() {
        writer.fields(|fields| write_link(fields, failure));
    }
}

fn write_link(fields: &mut Fields<'_>, failure: &Failure) {
    fields.required(|writer| writer.unsigned(number_of(&failure.kind)));
    fields.optional(failure.message.is_empty(), |writer| {
        writer.text(&failure.message)
    });
    fields.optional(failure.stack.is_empty(), |writer| {
        writer.text(&failure.stack)
    });
    match &failure.kind {
        FailureKind::Application {
            type_name,
            details,
            non_retryable,
            next_retry_delay,
        } => {
            fields.required(|writer| writer.text(type_name));
            let payload = details.as_ref();
            fields.optional(payload.is_none(), |writer| {
                write_optional_payload(writer, payload)
            });
            fields.optional(!non_retryable, |writer| writer.boolean(*non_retryable));
            fields.optional(next_retry_delay.is_none(), |writer| {
                write_optional_duration(writer, *next_retry_delay);
            });
        }
        FailureKind::Timeout {
            kind,
            last_heartbeat_details,
        } => {
            fields.required(|writer| writer.unsigned(timeout_number(*kind)));
            let payload = last_heartbeat_details.as_ref();
            fields.optional(payload.is_none(), |writer| {
                write_optional_payload(writer, payload)
            });
        }
        FailureKind::Cancelled { details } => {
            let payload = details.as_ref();
            fields.optional(payload.is_none(), |writer| {
                write_optional_payload(writer, payload)
            });
        }
        FailureKind::Activity {
            activity,
            service,
            attempt,
            retry_state,
        } => {
            fields.required(|writer| writer.text(activity));
            fields.required(|writer| writer.unsigned(u64::from(*attempt)));
            fields.required(|writer| writer.unsigned(retry_state_number(*retry_state)));
            fields.optional(service.is_none(), |writer| {
                write_option(writer, service.as_ref(), |writer, name| writer.text(name));
            });
        }
        FailureKind::Terminated | FailureKind::WorkerLost => {}
        FailureKind::ChildWorkflow {
            workflow_type,
            workflow_id,
            run,
        } => {
            fields.required(|writer| writer.text(workflow_type));
            fields.required(|writer| writer.text(workflow_id));
            fields.required(|writer| writer.binary(&run.0));
        }
    }
}

pub(crate) fn read_failure(reader: &mut Reader<'_>) -> Result<Failure, BatchError> {
    let length = reader.array()?;
    if length == 0 || length > MAXIMUM_CHAIN {
        return reader.malformed("a chain of 1 to 1,000 failures");
    }
    let mut chain = Vec::new();
    for _ in 0..length {
        chain.push(reader.fields(read_link)?);
    }
    let outermost = chain.into_iter().rev().reduce(|cause, mut failure| {
        failure.cause = Some(Box::new(cause));
        failure
    });
    outermost.map_or_else(|| reader.malformed("a failure"), Ok)
}

fn read_link(fields: &mut FieldsReader<'_, '_>) -> Result<Failure, BatchError> {
    let number = fields.required(Reader::unsigned)?;
    let message = fields.optional(String::new, read_string)?;
    let stack = fields.optional(String::new, read_string)?;
    let kind = match number {
        1 => FailureKind::Application {
            type_name: fields.required(read_string)?,
            details: fields.optional(|| None, read_optional_payload)?,
            non_retryable: fields.optional(|| false, Reader::boolean)?,
            next_retry_delay: fields.optional(|| None, read_optional_duration)?,
        },
        2 => FailureKind::Timeout {
            kind: fields.required(read_timeout)?,
            last_heartbeat_details: fields.optional(|| None, read_optional_payload)?,
        },
        3 => FailureKind::Cancelled {
            details: fields.optional(|| None, read_optional_payload)?,
        },
        4 => FailureKind::Terminated,
        5 => {
            let activity = fields.required(read_string)?;
            let attempt = fields.required(Reader::unsigned32)?;
            let retry_state = fields.required(read_retry_state)?;
            let read = |reader: &mut Reader<'_>| read_option(reader, read_string);
            let service = fields.optional(|| None, read)?;
            FailureKind::Activity {
                activity,
                service,
                attempt,
                retry_state,
            }
        }
        6 => FailureKind::WorkerLost,
        7 => FailureKind::ChildWorkflow {
            workflow_type: fields.required(read_string)?,
            workflow_id: fields.required(read_string)?,
            run: RunId(fields.required(Reader::binary16)?),
        },
        other => return fields.unknown("failure kind", other),
    };
    Ok(Failure {
        kind,
        message,
        stack,
        cause: None,
    })
}

fn number_of(kind: &FailureKind) -> u64 {
    match kind {
        FailureKind::Application { .. } => 1,
        FailureKind::Timeout { .. } => 2,
        FailureKind::Cancelled { .. } => 3,
        FailureKind::Terminated => 4,
        FailureKind::Activity { .. } => 5,
        FailureKind::WorkerLost => 6,
        FailureKind::ChildWorkflow { .. } => 7,
    }
}

fn timeout_number(kind: TimeoutKind) -> u64 {
    match kind {
        TimeoutKind::ScheduleToStart => 1,
        TimeoutKind::StartToClose => 2,
        TimeoutKind::ScheduleToClose => 3,
        TimeoutKind::Heartbeat => 4,
        TimeoutKind::Run => 5,
    }
}

fn read_timeout(reader: &mut Reader<'_>) -> Result<TimeoutKind, BatchError> {
    match reader.unsigned()? {
        1 => Ok(TimeoutKind::ScheduleToStart),
        2 => Ok(TimeoutKind::StartToClose),
        3 => Ok(TimeoutKind::ScheduleToClose),
        4 => Ok(TimeoutKind::Heartbeat),
        5 => Ok(TimeoutKind::Run),
        other => reader.unknown("timeout kind", other),
    }
}

pub(crate) fn retry_state_number(state: RetryState) -> u64 {
    match state {
        RetryState::NonRetryable => 1,
        RetryState::MaximumAttemptsReached => 2,
        RetryState::TimedOut => 3,
        RetryState::CancelRequested => 4,
    }
}

pub(crate) fn read_retry_state(reader: &mut Reader<'_>) -> Result<RetryState, BatchError> {
    match reader.unsigned()? {
        1 => Ok(RetryState::NonRetryable),
        2 => Ok(RetryState::MaximumAttemptsReached),
        3 => Ok(RetryState::TimedOut),
        4 => Ok(RetryState::CancelRequested),
        other => reader.unknown("retry state", other),
    }
}
