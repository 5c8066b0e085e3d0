//! The bodies of what runs ask of each other, and of what they are answered.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::common::{
    read_option, read_optional_duration, read_optional_payload, read_pairs, read_payload,
    read_string, write_option, write_optional_duration, write_optional_payload, write_pairs,
    write_payload,
};
use super::failure::{read_failure, write_failure};
use super::kind;
use super::options::{number_of, read_cancellation};
use super::priority::{read_priority, write_priority};
use super::reader::{FieldsReader, Reader};
use super::site::Sites;
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::child::{
    CancelExternal, ExternalRun, Parent, ParentClosePolicy, SignalExternal, StartChild,
};
use crate::command::{CancellationType, Command};
use crate::event::Event;
use crate::failure::Failure;
use crate::ids::RunId;
use crate::payload::Digest;
use crate::priority::Priority;

pub(crate) fn write_parent(writer: &mut Writer, parent: Option<&Parent>) {
    write_option(writer, parent, |writer, parent| {
        writer.fields(|fields| {
            fields.required(|writer| writer.binary(&parent.run.0));
            fields.required(|writer| writer.unsigned(parent.command_n));
            fields.required(|writer| writer.text(&parent.workflow_id));
        });
    });
}

pub(crate) fn read_parent(reader: &mut Reader<'_>) -> Result<Option<Parent>, BatchError> {
    read_option(reader, |reader| {
        reader.fields(|fields| {
            Ok(Parent {
                run: RunId(fields.required(Reader::binary16)?),
                command_n: fields.required(Reader::unsigned)?,
                workflow_id: fields.required(read_string)?,
            })
        })
    })
}

/// Writes the body of a command of this file; does nothing for any other.
pub(crate) fn write_command(fields: &mut Fields<'_>, sites: &mut Sites, n: u64, command: &Command) {
    match command {
        Command::StartChild(child) => write_start(fields, sites, n, child),
        Command::CancelChild { command_n } => {
            fields.required(|writer| writer.unsigned(*command_n));
        }
        Command::SignalExternal(signal) => {
            fields.required(|writer| write_target(writer, &signal.target));
            fields.required(|writer| writer.text(&signal.name));
            fields.required(|writer| write_payload(writer, &signal.arguments));
            sites.write(fields, n, &signal.site);
        }
        Command::CancelExternal(cancel) => {
            fields.required(|writer| write_target(writer, &cancel.target));
            fields.required(|writer| writer.text(&cancel.reason));
            sites.write(fields, n, &cancel.site);
        }
        _ => {}
    }
}

/// Reads the body of a command of this file.
pub(crate) fn read_command(
    fields: &mut FieldsReader<'_, '_>,
    sites: &mut Sites,
    kind: u64,
) -> Result<Command, BatchError> {
    Ok(match kind {
        kind::START_CHILD => Command::StartChild(Arc::new(read_start(fields, sites)?)),
        kind::CANCEL_CHILD => Command::CancelChild {
            command_n: fields.required(Reader::unsigned)?,
        },
        kind::SIGNAL_EXTERNAL => Command::SignalExternal(Arc::new(SignalExternal {
            target: fields.required(read_target)?,
            name: fields.required(read_string)?,
            arguments: fields.required(read_payload)?,
            site: fields.optional(Arc::default, |reader| sites.read(reader))?,
        })),
        _ => Command::CancelExternal(Arc::new(CancelExternal {
            target: fields.required(read_target)?,
            reason: fields.required(read_string)?,
            site: fields.optional(Arc::default, |reader| sites.read(reader))?,
        })),
    })
}

fn write_start(fields: &mut Fields<'_>, sites: &mut Sites, n: u64, child: &StartChild) {
    fields.required(|writer| writer.binary(&child.run.0));
    fields.required(|writer| writer.text(&child.workflow_id));
    fields.required(|writer| writer.text(&child.workflow_type));
    fields.required(|writer| writer.text(&child.task_queue));
    fields.required(|writer| write_payload(writer, &child.arguments));
    fields.required(|writer| writer.binary(&child.digest.0.to_be_bytes()));
    fields.required(|writer| writer.unsigned(child.seed));
    sites.write(fields, n, &child.site);
    let timeout = child.run_timeout;
    fields.optional(timeout.is_none(), |writer| {
        write_optional_duration(writer, timeout)
    });
    let policy = policy_number(child.parent_close_policy);
    fields.optional(policy == 1, |writer| writer.unsigned(policy));
    let cancellation = number_of(child.cancellation_type);
    fields.optional(cancellation == 1, |writer| writer.unsigned(cancellation));
    let headers = &child.headers;
    fields.optional(headers.is_empty(), |writer| {
        write_pairs(writer, headers, |writer, value: &String| writer.text(value));
    });
    let priority = &child.priority;
    fields.optional(priority.is_default(), |writer| {
        write_priority(writer, priority)
    });
}

fn read_start(
    fields: &mut FieldsReader<'_, '_>,
    sites: &mut Sites,
) -> Result<StartChild, BatchError> {
    Ok(StartChild {
        run: RunId(fields.required(Reader::binary16)?),
        workflow_id: fields.required(read_string)?,
        workflow_type: fields.required(read_string)?.into(),
        task_queue: fields.required(read_string)?,
        arguments: fields.required(read_payload)?,
        digest: Digest(u128::from_be_bytes(fields.required(Reader::binary16)?)),
        seed: fields.required(Reader::unsigned)?,
        site: fields.optional(Arc::default, |reader| sites.read(reader))?,
        run_timeout: fields.optional(|| None, read_optional_duration)?,
        parent_close_policy: fields.optional(ParentClosePolicy::default, read_policy)?,
        cancellation_type: fields.optional(CancellationType::default, read_cancellation)?,
        headers: fields.optional(Vec::new, |reader| read_pairs(reader, read_string))?,
        priority: fields.optional(Priority::default, read_priority)?,
    })
}

fn write_target(writer: &mut Writer, target: &ExternalRun) {
    writer.fields(|fields| {
        fields.required(|writer| writer.text(&target.workflow_id));
        let run = target.run.as_ref();
        fields.optional(run.is_none(), |writer| {
            write_option(writer, run, |writer, run| writer.binary(&run.0));
        });
        let child_n = target.child_n.as_ref();
        fields.optional(child_n.is_none(), |writer| {
            write_option(writer, child_n, |writer, n| writer.unsigned(*n));
        });
    });
}

fn read_target(reader: &mut Reader<'_>) -> Result<ExternalRun, BatchError> {
    reader.fields(|fields| {
        Ok(ExternalRun {
            workflow_id: fields.required(read_string)?,
            run: fields.optional(
                || None,
                |reader| read_option(reader, |reader| reader.binary16().map(RunId)),
            )?,
            child_n: fields.optional(|| None, |reader| read_option(reader, Reader::unsigned))?,
        })
    })
}

fn policy_number(policy: ParentClosePolicy) -> u64 {
    match policy {
        ParentClosePolicy::Terminate => 1,
        ParentClosePolicy::RequestCancel => 2,
        ParentClosePolicy::Abandon => 3,
    }
}

fn read_policy(reader: &mut Reader<'_>) -> Result<ParentClosePolicy, BatchError> {
    match reader.unsigned()? {
        1 => Ok(ParentClosePolicy::Terminate),
        2 => Ok(ParentClosePolicy::RequestCancel),
        3 => Ok(ParentClosePolicy::Abandon),
        other => reader.unknown("parent close policy", other),
    }
}

/// Writes the body of an event of this file; does nothing for any other.
pub(crate) fn write_event(fields: &mut Fields<'_>, event: &Event) {
    match event {
        Event::ChildStarted { command_n }
        | Event::ExternalSignalDelivered { command_n }
        | Event::ExternalCancelDelivered { command_n } => {
            fields.required(|writer| writer.unsigned(*command_n));
        }
        Event::ChildCompleted { command_n, result } => {
            fields.required(|writer| writer.unsigned(*command_n));
            fields.required(|writer| write_payload(writer, result));
        }
        Event::ChildCancelled { command_n, details } => {
            fields.required(|writer| writer.unsigned(*command_n));
            let payload = details.as_ref();
            fields.optional(payload.is_none(), |writer| {
                write_optional_payload(writer, payload)
            });
        }
        Event::ChildFailed { command_n, failure }
        | Event::ExternalSignalFailed { command_n, failure }
        | Event::ExternalCancelFailed { command_n, failure } => {
            write_failed(fields, *command_n, failure);
        }
        _ => {}
    }
}

fn write_failed(fields: &mut Fields<'_>, command_n: u64, failure: &Failure) {
    fields.required(|writer| writer.unsigned(command_n));
    fields.required(|writer| write_failure(writer, failure));
}

/// Reads the body of an event of this file.
pub(crate) fn read_event(
    fields: &mut FieldsReader<'_, '_>,
    kind: u64,
) -> Result<Event, BatchError> {
    let command_n = fields.required(Reader::unsigned)?;
    Ok(match kind {
        kind::CHILD_STARTED => Event::ChildStarted { command_n },
        kind::CHILD_COMPLETED => Event::ChildCompleted {
            command_n,
            result: fields.required(read_payload)?,
        },
        kind::CHILD_FAILED => Event::ChildFailed {
            command_n,
            failure: fields.required(read_failure)?,
        },
        kind::CHILD_CANCELLED => Event::ChildCancelled {
            command_n,
            details: fields.optional(|| None, read_optional_payload)?,
        },
        kind::EXTERNAL_SIGNAL_DELIVERED => Event::ExternalSignalDelivered { command_n },
        kind::EXTERNAL_SIGNAL_FAILED => Event::ExternalSignalFailed {
            command_n,
            failure: fields.required(read_failure)?,
        },
        kind::EXTERNAL_CANCEL_DELIVERED => Event::ExternalCancelDelivered { command_n },
        _ => Event::ExternalCancelFailed {
            command_n,
            failure: fields.required(read_failure)?,
        },
    })
}
