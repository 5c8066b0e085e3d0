//! The body of a reset.

use alloc::string::String;
use alloc::vec::Vec;

use super::common::{read_option, read_string, write_option};
use super::reader::{FieldsReader, Reader};
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::ids::{MessageId, RunId};
use crate::reset::{Fork, RunReset};
use crate::time::Timestamp;

pub(crate) fn write_reset(fields: &mut Fields<'_>, reset: &RunReset) {
    fields.required(|writer| writer.text(&reset.message_id.0));
    fields.required(|writer| writer.binary(&reset.run.0));
    fields.optional(reset.reason.is_empty(), |writer| writer.text(&reset.reason));
    fields.optional(reset.results.is_empty(), |writer| {
        writer.array(reset.results.len());
        for command_n in &reset.results {
            writer.unsigned(*command_n);
        }
    });
    fields.optional(!reset.drops_messages, |writer| {
        writer.boolean(reset.drops_messages);
    });
    fields.optional(reset.ends_by.is_none(), |writer| {
        write_option(writer, reset.ends_by.as_ref(), |writer, at| {
            writer.signed(at.as_micros());
        });
    });
    fields.optional(reset.fork.is_none(), |writer| {
        write_option(writer, reset.fork.as_ref(), write_fork);
    });
}

pub(crate) fn read_reset(fields: &mut FieldsReader<'_, '_>) -> Result<RunReset, BatchError> {
    Ok(RunReset {
        message_id: MessageId(fields.required(read_string)?),
        run: RunId(fields.required(Reader::binary16)?),
        reason: fields.optional(String::new, read_string)?,
        results: fields.optional(Vec::new, read_numbers)?,
        drops_messages: fields.optional(|| false, Reader::boolean)?,
        ends_by: fields.optional(
            || None,
            |reader| read_option(reader, |reader| reader.signed().map(Timestamp::from_micros)),
        )?,
        fork: fields.optional(|| None, |reader| read_option(reader, read_fork))?,
    })
}

/// The run that goes on from a terminated one; absent when none does.
pub(crate) fn write_next(fields: &mut Fields<'_>, next: Option<&RunId>) {
    fields.optional(next.is_none(), |writer| {
        write_option(writer, next, |writer, run| writer.binary(&run.0));
    });
}

pub(crate) fn read_next(fields: &mut FieldsReader<'_, '_>) -> Result<Option<RunId>, BatchError> {
    fields.optional(
        || None,
        |reader| read_option(reader, |reader| reader.binary16().map(RunId)),
    )
}

fn read_numbers(reader: &mut Reader<'_>) -> Result<Vec<u64>, BatchError> {
    let length = reader.array()?;
    let mut numbers = Vec::with_capacity(length.min(reader.remaining()));
    for _ in 0..length {
        numbers.push(reader.unsigned()?);
    }
    Ok(numbers)
}

fn write_fork(writer: &mut Writer, fork: &Fork) {
    writer.fields(|fields| {
        fields.required(|writer| writer.text(&fork.workflow_id));
        fields.required(|writer| writer.unsigned(fork.seed));
        fields.required(|writer| writer.binary(&fork.origin.0));
    });
}

fn read_fork(reader: &mut Reader<'_>) -> Result<Fork, BatchError> {
    reader.fields(|fields| {
        Ok(Fork {
            workflow_id: fields.required(read_string)?,
            seed: fields.required(Reader::unsigned)?,
            origin: RunId(fields.required(Reader::binary16)?),
        })
    })
}
