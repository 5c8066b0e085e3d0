//! The bodies of commands.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::chain::{read_successor, write_successor};
use super::child;
use super::common::{
    read_option, read_optional_payload, read_pairs, read_payload, read_string, write_option,
    write_optional_payload, write_pairs, write_payload,
};
use super::failure::{read_failure, write_failure};
use super::options::{default_options, is_default, read_options, write_options};
use super::reader::{FieldsReader, Reader};
use super::search::{read_value, write_value};
use super::site::Sites;
use super::writer::Fields;
use super::{kind, writer::Writer};
use crate::batch::BatchError;
use crate::command::{Command, ScheduleActivity};
use crate::payload::{Digest, Payload};
use crate::time::Timestamp;

pub(crate) fn kind_of(command: &Command) -> u64 {
    match command {
        Command::ScheduleActivity(_) => kind::SCHEDULE_ACTIVITY,
        Command::CancelActivity { .. } => kind::CANCEL_ACTIVITY,
        Command::StartTimer { .. } => kind::START_TIMER,
        Command::CancelTimer { .. } => kind::CANCEL_TIMER,
        Command::CompleteRun { .. } => kind::COMPLETE_RUN,
        Command::FailRun { .. } => kind::FAIL_RUN,
        Command::CancelRun { .. } => kind::CANCEL_RUN,
        Command::RecordPatch { .. } => kind::RECORD_PATCH,
        Command::ContinueAsNew(_) => kind::CONTINUE_AS_NEW,
        Command::StartChild(_) => kind::START_CHILD,
        Command::CancelChild { .. } => kind::CANCEL_CHILD,
        Command::SignalExternal(_) => kind::SIGNAL_EXTERNAL,
        Command::CancelExternal(_) => kind::CANCEL_EXTERNAL,
        Command::CompleteUpdate { .. } => kind::COMPLETE_UPDATE,
        Command::FailUpdate { .. } => kind::FAIL_UPDATE,
        Command::SetSearchAttributes { .. } => kind::SET_SEARCH_ATTRIBUTES,
        Command::SetMemo { .. } => kind::SET_MEMO,
    }
}

/// Writes the body of command `n`.
pub(crate) fn write(writer: &mut Writer, sites: &mut Sites, n: u64, command: &Command) {
    writer.fields(|fields| match command {
        Command::ScheduleActivity(activity) => write_activity(fields, sites, n, activity),
        Command::CancelActivity { command_n } | Command::CancelTimer { command_n } => {
            fields.required(|writer| writer.unsigned(*command_n));
        }
        Command::StartTimer { fire_at, site } => {
            fields.required(|writer| writer.signed(fire_at.as_micros()));
            sites.write(fields, n, site);
        }
        Command::CompleteRun { result } => {
            fields.required(|writer| write_payload(writer, result));
        }
        Command::FailRun { failure, next } => {
            fields.required(|writer| write_failure(writer, failure));
            fields.optional(next.is_none(), |writer| {
                write_option(writer, next.as_ref(), |writer, next| {
                    writer.fields(|fields| write_successor(fields, next));
                });
            });
        }
        Command::CancelRun { details } => {
            let payload = details.as_ref();
            fields.optional(payload.is_none(), |writer| {
                write_optional_payload(writer, payload)
            });
        }
        Command::RecordPatch {
            id,
            site,
            deprecated,
        } => {
            fields.required(|writer| writer.text(id));
            sites.write(fields, n, site);
            fields.optional(!deprecated, |writer| writer.boolean(*deprecated));
        }
        Command::ContinueAsNew(successor) => write_successor(fields, successor),
        Command::StartChild(_)
        | Command::CancelChild { .. }
        | Command::SignalExternal(_)
        | Command::CancelExternal(_) => child::write_command(fields, sites, n, command),
        Command::CompleteUpdate { event_n, result } => {
            fields.required(|writer| writer.unsigned(*event_n));
            fields.required(|writer| write_payload(writer, result));
        }
        Command::FailUpdate { event_n, failure } => {
            fields.required(|writer| writer.unsigned(*event_n));
            fields.required(|writer| write_failure(writer, failure));
        }
        Command::SetSearchAttributes { attributes } => fields.required(|writer| {
            write_pairs(writer, attributes, |writer, value| {
                write_option(writer, value.as_ref(), write_value);
            });
        }),
        Command::SetMemo { entries } => fields.required(|writer| {
            write_pairs(writer, entries, |writer, value: &Option<Payload>| {
                write_optional_payload(writer, value.as_ref());
            });
        }),
    });
}

fn write_activity(fields: &mut Fields<'_>, sites: &mut Sites, n: u64, activity: &ScheduleActivity) {
    fields.required(|writer| writer.text(&activity.name));
    fields.required(|writer| write_payload(writer, &activity.arguments));
    fields.required(|writer| writer.binary(&activity.digest.0.to_be_bytes()));
    sites.write(fields, n, &activity.site);
    let service = activity.service.as_ref();
    fields.optional(service.is_none(), |writer| {
        write_option(writer, service, |writer, name| writer.text(name));
    });
    let options = &activity.options;
    fields.optional(is_default(options), |writer| write_options(writer, options));
    let headers = &activity.headers;
    fields.optional(headers.is_empty(), |writer| {
        write_pairs(writer, headers, |writer, value: &String| writer.text(value));
    });
}

/// Reads the body of a command of `kind`, if that is one.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    sites: &mut Sites,
    kind: u64,
) -> Result<Option<Command>, BatchError> {
    if (kind::START_CHILD..=kind::CANCEL_EXTERNAL).contains(&kind) {
        let read = |fields: &mut FieldsReader<'_, '_>| child::read_command(fields, sites, kind);
        return reader.fields(read).map(Some);
    }
    if !matches!(
        kind,
        kind::SCHEDULE_ACTIVITY
            ..=kind::CONTINUE_AS_NEW
                | kind::COMPLETE_UPDATE
                | kind::FAIL_UPDATE
                | kind::RECORD_PATCH
                | kind::SET_SEARCH_ATTRIBUTES
                | kind::SET_MEMO
    ) {
        return Ok(None);
    }
    reader
        .fields(|fields| {
            Ok(match kind {
                kind::SCHEDULE_ACTIVITY => {
                    Command::ScheduleActivity(Arc::new(read_activity(fields, sites)?))
                }
                kind::CANCEL_ACTIVITY => Command::CancelActivity {
                    command_n: fields.required(Reader::unsigned)?,
                },
                kind::START_TIMER => Command::StartTimer {
                    fire_at: Timestamp::from_micros(fields.required(Reader::signed)?),
                    site: fields.optional(Arc::default, |reader| sites.read(reader))?,
                },
                kind::CANCEL_TIMER => Command::CancelTimer {
                    command_n: fields.required(Reader::unsigned)?,
                },
                kind::COMPLETE_RUN => Command::CompleteRun {
                    result: fields.required(read_payload)?,
                },
                kind::FAIL_RUN => read_failed(fields)?,
                kind::RECORD_PATCH => Command::RecordPatch {
                    id: fields.required(|reader| sites.read_string(reader))?,
                    site: fields.optional(Arc::default, |reader| sites.read(reader))?,
                    deprecated: fields.optional(|| false, Reader::boolean)?,
                },
                kind::COMPLETE_UPDATE => Command::CompleteUpdate {
                    event_n: fields.required(Reader::unsigned)?,
                    result: fields.required(read_payload)?,
                },
                kind::FAIL_UPDATE => Command::FailUpdate {
                    event_n: fields.required(Reader::unsigned)?,
                    failure: fields.required(read_failure)?,
                },
                kind::SET_SEARCH_ATTRIBUTES => Command::SetSearchAttributes {
                    attributes: fields.required(|reader| {
                        read_pairs(reader, |reader| read_option(reader, read_value))
                    })?,
                },
                kind::SET_MEMO => Command::SetMemo {
                    entries: fields.required(|reader| read_pairs(reader, read_optional_payload))?,
                },
                kind::CANCEL_RUN => Command::CancelRun {
                    details: fields.optional(|| None, read_optional_payload)?,
                },
                _ => Command::ContinueAsNew(Arc::new(read_successor(fields)?)),
            })
        })
        .map(Some)
}

fn read_failed(fields: &mut FieldsReader<'_, '_>) -> Result<Command, BatchError> {
    let failure = fields.required(read_failure)?;
    let next = fields.optional(
        || None,
        |reader| Ok(Some(Arc::new(reader.fields(read_successor)?))),
    )?;
    Ok(Command::FailRun { failure, next })
}

fn read_activity(
    fields: &mut FieldsReader<'_, '_>,
    sites: &mut Sites,
) -> Result<ScheduleActivity, BatchError> {
    let name = fields.required(|reader| sites.read_string(reader))?;
    let arguments: Payload = fields.required(read_payload)?;
    let digest = Digest(u128::from_be_bytes(fields.required(Reader::binary16)?));
    let site = fields.optional(Arc::default, |reader| sites.read(reader))?;
    let service = fields.optional(
        || None,
        |reader| read_option(reader, |reader| sites.read_string(reader)),
    )?;
    let options = fields.optional(default_options, read_options)?;
    let headers = fields.optional(Vec::new, |reader| read_pairs(reader, read_string))?;
    Ok(ScheduleActivity {
        name,
        service,
        arguments,
        digest,
        options,
        site,
        headers,
    })
}
