//! The bodies of events.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::chain::{read_chain, write_chain};
use super::child;
use super::common::{
    read_option, read_optional_duration, read_optional_payload, read_pairs, read_payload,
    read_string, write_option, write_optional_duration, write_optional_payload, write_pairs,
    write_payload,
};
use super::failure::{read_failure, read_retry_state, retry_state_number, write_failure};
use super::kind;
use super::priority::{read_priority, write_priority};
use super::reader::{FieldsReader, Reader};
use super::reset::{read_next, read_reset, write_next, write_reset};
use super::search::{read_value, write_value};
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::chain::{Chain, is_default};
use crate::event::{Event, RunStarted, StartSignal, Version};
use crate::ids::{MessageId, RunId};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::time::Timestamp;
use crate::worker_version::{self, WorkerVersion};

pub(crate) fn kind_of(event: &Event) -> u64 {
    match event {
        Event::RunStarted(_) => kind::RUN_STARTED,
        Event::VersionChanged { .. } => kind::VERSION_CHANGED,
        Event::OptionsUpdated { .. } => kind::OPTIONS_UPDATED,
        Event::ActivityCompleted { .. } => kind::ACTIVITY_COMPLETED,
        Event::ActivityFailed { .. } => kind::ACTIVITY_FAILED,
        Event::ActivityCancelled { .. } => kind::ACTIVITY_CANCELLED,
        Event::ActivityAttemptFailed { .. } => kind::ACTIVITY_ATTEMPT_FAILED,
        Event::TimerFired { .. } => kind::TIMER_FIRED,
        Event::SignalReceived { .. } => kind::SIGNAL_RECEIVED,
        Event::CancelRequested { .. } => kind::CANCEL_REQUESTED,
        Event::RunTerminated { .. } => kind::RUN_TERMINATED,
        Event::RunTimedOut => kind::RUN_TIMED_OUT,
        Event::ChildStarted { .. } => kind::CHILD_STARTED,
        Event::ChildCompleted { .. } => kind::CHILD_COMPLETED,
        Event::ChildFailed { .. } => kind::CHILD_FAILED,
        Event::ChildCancelled { .. } => kind::CHILD_CANCELLED,
        Event::ExternalSignalDelivered { .. } => kind::EXTERNAL_SIGNAL_DELIVERED,
        Event::ExternalSignalFailed { .. } => kind::EXTERNAL_SIGNAL_FAILED,
        Event::ExternalCancelDelivered { .. } => kind::EXTERNAL_CANCEL_DELIVERED,
        Event::ExternalCancelFailed { .. } => kind::EXTERNAL_CANCEL_FAILED,
        Event::UpdateAccepted { .. } => kind::UPDATE_ACCEPTED,
        Event::RunReset(_) => kind::RUN_RESET,
    }
}

pub(crate) fn write(writer: &mut Writer, event: &Event) {
    writer.fields(|fields| match event {
        Event::RunStarted(started) => write_started(fields, started),
        Event::VersionChanged {
            engine,
            language,
            deployment,
        } => write_version(fields, engine, language, deployment.as_ref()),
        Event::ActivityCompleted {
            command_n,
            attempt,
            result,
        } => {
            write_completion(fields, *command_n, *attempt);
            fields.required(|writer| write_payload(writer, result));
        }
        Event::ActivityFailed {
            command_n,
            attempt,
            failure,
            retry_state,
        } => {
            write_completion(fields, *command_n, *attempt);
            fields.required(|writer| write_failure(writer, failure));
            fields.required(|writer| writer.unsigned(retry_state_number(*retry_state)));
        }
        Event::ActivityCancelled {
            command_n,
            attempt,
            details,
        } => {
            write_completion(fields, *command_n, *attempt);
            write_details(fields, details.as_ref());
        }
        Event::ActivityAttemptFailed {
            command_n,
            attempt,
            failure,
            next_attempt_at,
            heartbeat_details,
        } => {
            write_completion(fields, *command_n, *attempt);
            fields.required(|writer| write_failure(writer, failure));
            fields.required(|writer| writer.signed(next_attempt_at.as_micros()));
            write_details(fields, heartbeat_details.as_ref());
        }
        Event::TimerFired { command_n } => {
            fields.required(|writer| writer.unsigned(*command_n));
        }
        Event::SignalReceived {
            message_id,
            name,
            arguments,
        }
        | Event::UpdateAccepted {
            message_id,
            name,
            arguments,
        } => write_message(fields, message_id, name, arguments),
        Event::CancelRequested { message_id, reason } => {
            write_request(fields, message_id, reason);
        }
        Event::RunReset(reset) => write_reset(fields, reset),
        other => write_other(fields, other),
    });
}

fn write_other(fields: &mut Fields<'_>, event: &Event) {
    match event {
        Event::OptionsUpdated {
            message_id,
            pinned_to,
        } => {
            fields.required(|writer| writer.text(&message_id.0));
            write_deployment(fields, pinned_to.as_ref());
        }
        Event::RunTerminated {
            message_id,
            reason,
            next_run_id,
        } => {
            write_request(fields, message_id, reason);
            write_next(fields, next_run_id.as_ref());
        }
        Event::RunTimedOut => {}
        of_others => child::write_event(fields, of_others),
    }
}

fn write_version(
    fields: &mut Fields<'_>,
    engine: &str,
    language: &str,
    deployment: Option<&WorkerVersion>,
) {
    fields.required(|writer| writer.text(engine));
    fields.required(|writer| writer.text(language));
    write_deployment(fields, deployment);
}

fn write_deployment(fields: &mut Fields<'_>, version: Option<&WorkerVersion>) {
    fields.optional(version.is_none(), |writer| {
        write_option(writer, version, worker_version::write);
    });
}

fn read_deployment(fields: &mut FieldsReader<'_, '_>) -> Result<Option<WorkerVersion>, BatchError> {
    fields.optional(|| None, |reader| read_option(reader, worker_version::read))
}

fn write_message(fields: &mut Fields<'_>, message_id: &MessageId, name: &str, arguments: &Payload) {
    fields.required(|writer| writer.text(&message_id.0));
    fields.required(|writer| writer.text(name));
    fields.required(|writer| write_payload(writer, arguments));
}

fn write_request(fields: &mut Fields<'_>, message_id: &MessageId, reason: &str) {
    fields.required(|writer| writer.text(&message_id.0));
    fields.optional(reason.is_empty(), |writer| writer.text(reason));
}

fn write_details(fields: &mut Fields<'_>, details: Option<&Payload>) {
    fields.optional(details.is_none(), |writer| {
        write_optional_payload(writer, details)
    });
}

fn write_completion(fields: &mut Fields<'_>, command_n: u64, attempt: u32) {
    fields.required(|writer| writer.unsigned(command_n));
    fields.required(|writer| writer.unsigned(u64::from(attempt)));
}

pub(crate) fn write_started(fields: &mut Fields<'_>, started: &RunStarted) {
    fields.required(|writer| writer.text(&started.message_id.0));
    fields.required(|writer| writer.text(&started.namespace));
    fields.required(|writer| writer.text(&started.workflow_id));
    fields.required(|writer| writer.text(&started.workflow_type));
    fields.required(|writer| writer.text(&started.task_queue));
    fields.required(|writer| write_payload(writer, &started.arguments));
    fields.required(|writer| writer.unsigned(started.seed));
    fields.required(|writer| writer.binary(&started.origin.0));
    let timeout = started.run_timeout;
    fields.optional(timeout.is_none(), |writer| {
        write_optional_duration(writer, timeout)
    });
    fields.optional(started.memo.is_empty(), |writer| {
        write_pairs(writer, &started.memo, |writer, value: &Payload| {
            write_payload(writer, value)
        });
    });
    fields.optional(started.headers.is_empty(), |writer| {
        write_pairs(writer, &started.headers, |writer, value: &String| {
            writer.text(value)
        });
    });
    fields.optional(started.version.is_none(), |writer| {
        writer.fields(|fields| {
            if let Some(version) = &started.version {
                let deployment = version.deployment.as_ref();
                write_version(fields, &version.engine, &version.language, deployment);
            }
        });
    });
    let chain = &started.chain;
    fields.optional(is_default(chain), |writer| write_chain(writer, chain));
    let parent = started.parent.as_ref();
    fields.optional(parent.is_none(), |writer| {
        child::write_parent(writer, parent)
    });
    fields.optional(started.signal.is_none(), |writer| {
        writer.fields(|fields| {
            if let Some(signal) = &started.signal {
                fields.required(|writer| writer.text(&signal.name));
                fields.required(|writer| write_payload(writer, &signal.arguments));
            }
        });
    });
    let attributes = &started.search_attributes;
    fields.optional(attributes.is_empty(), |writer| {
        write_pairs(writer, attributes, write_value);
    });
    let priority = &started.priority;
    fields.optional(priority.is_default(), |writer| {
        write_priority(writer, priority)
    });
}

/// Reads the body of an event of `kind`, if that is one.
pub(crate) fn read(reader: &mut Reader<'_>, kind: u64) -> Result<Option<Event>, BatchError> {
    if (kind::CHILD_STARTED..=kind::EXTERNAL_CANCEL_FAILED).contains(&kind) {
        let read = |fields: &mut FieldsReader<'_, '_>| child::read_event(fields, kind);
        return reader.fields(read).map(Some);
    }
    if kind == kind::RUN_RESET {
        let reset = reader.fields(read_reset)?;
        return Ok(Some(Event::RunReset(Arc::new(reset))));
    }
    if kind == kind::OPTIONS_UPDATED {
        let read = |fields: &mut FieldsReader<'_, '_>| {
            Ok(Event::OptionsUpdated {
                message_id: fields.required(read_message_id)?,
                pinned_to: read_deployment(fields)?,
            })
        };
        return reader.fields(read).map(Some);
    }
    if !(kind::RUN_STARTED..=kind::UPDATE_ACCEPTED).contains(&kind) {
        return Ok(None);
    }
    reader.fields(|fields| read_fields(fields, kind)).map(Some)
}

fn read_fields(fields: &mut FieldsReader<'_, '_>, kind: u64) -> Result<Event, BatchError> {
    Ok(match kind {
        kind::RUN_STARTED => Event::RunStarted(Arc::new(read_started(fields)?)),
        kind::VERSION_CHANGED => Event::VersionChanged {
            engine: fields.required(read_string)?,
            language: fields.required(read_string)?,
            deployment: read_deployment(fields)?,
        },
        kind::ACTIVITY_COMPLETED => Event::ActivityCompleted {
            command_n: fields.required(Reader::unsigned)?,
            attempt: fields.required(Reader::unsigned32)?,
            result: fields.required(read_payload)?,
        },
        kind::ACTIVITY_FAILED => Event::ActivityFailed {
            command_n: fields.required(Reader::unsigned)?,
            attempt: fields.required(Reader::unsigned32)?,
            failure: fields.required(read_failure)?,
            retry_state: fields.required(read_retry_state)?,
        },
        kind::ACTIVITY_CANCELLED => Event::ActivityCancelled {
            command_n: fields.required(Reader::unsigned)?,
            attempt: fields.required(Reader::unsigned32)?,
            details: fields.optional(|| None, read_optional_payload)?,
        },
        kind::ACTIVITY_ATTEMPT_FAILED => Event::ActivityAttemptFailed {
            command_n: fields.required(Reader::unsigned)?,
            attempt: fields.required(Reader::unsigned32)?,
            failure: fields.required(read_failure)?,
            next_attempt_at: Timestamp::from_micros(fields.required(Reader::signed)?),
            heartbeat_details: fields.optional(|| None, read_optional_payload)?,
        },
        kind::TIMER_FIRED => Event::TimerFired {
            command_n: fields.required(Reader::unsigned)?,
        },
        kind::SIGNAL_RECEIVED => Event::SignalReceived {
            message_id: fields.required(read_message_id)?,
            name: fields.required(read_string)?,
            arguments: fields.required(read_payload)?,
        },
        kind::CANCEL_REQUESTED => Event::CancelRequested {
            message_id: fields.required(read_message_id)?,
            reason: fields.optional(String::new, read_string)?,
        },
        kind::RUN_TERMINATED => Event::RunTerminated {
            message_id: fields.required(read_message_id)?,
            reason: fields.optional(String::new, read_string)?,
            next_run_id: read_next(fields)?,
        },
        kind::UPDATE_ACCEPTED => Event::UpdateAccepted {
            message_id: fields.required(read_message_id)?,
            name: fields.required(read_string)?,
            arguments: fields.required(read_payload)?,
        },
        _ => Event::RunTimedOut,
    })
}

fn read_message_id(reader: &mut Reader<'_>) -> Result<MessageId, BatchError> {
    read_string(reader).map(MessageId)
}

fn read_version(fields: &mut FieldsReader<'_, '_>) -> Result<Option<Version>, BatchError> {
    // No version is an empty array, which is there only when a later field is.
    let engine = fields.optional(|| None, |reader| read_string(reader).map(Some))?;
    let Some(engine) = engine else {
        return Ok(None);
    };
    let language = fields.required(read_string)?;
    let deployment = read_deployment(fields)?;
    Ok(Some(Version {
        engine,
        language,
        deployment,
    }))
}

fn read_signal(reader: &mut Reader<'_>) -> Result<Option<StartSignal>, BatchError> {
    reader.fields(|fields| {
        let Some(name) = fields.optional(|| None, |reader| read_string(reader).map(Some))? else {
            return Ok(None);
        };
        let arguments = fields.required(read_payload)?;
        Ok(Some(StartSignal { name, arguments }))
    })
}

pub(crate) fn read_started(fields: &mut FieldsReader<'_, '_>) -> Result<RunStarted, BatchError> {
    Ok(RunStarted {
        message_id: fields.required(read_message_id)?,
        namespace: fields.required(read_string)?,
        workflow_id: fields.required(read_string)?,
        workflow_type: fields.required(read_string)?.into(),
        task_queue: fields.required(read_string)?,
        arguments: fields.required(read_payload)?,
        seed: fields.required(Reader::unsigned)?,
        origin: RunId(fields.required(Reader::binary16)?),
        run_timeout: fields.optional(|| None, read_optional_duration)?,
        memo: fields.optional(Vec::new, |reader| read_pairs(reader, read_payload))?,
        headers: fields.optional(Vec::new, |reader| read_pairs(reader, read_string))?,
        version: fields.optional(|| None, |reader| reader.fields(read_version))?,
        chain: fields.optional(Chain::default, read_chain)?,
        parent: fields.optional(|| None, child::read_parent)?,
        signal: fields.optional(|| None, read_signal)?,
        search_attributes: fields.optional(Vec::new, |reader| read_pairs(reader, read_value))?,
        priority: fields.optional(Priority::default, read_priority)?,
    })
}
