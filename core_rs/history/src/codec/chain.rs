//! Where a run stands among the runs of its workflow, and the run that follows one.

use super::common::{read_option, read_optional_duration, write_option, write_optional_duration};
use super::event::{read_started, write_started};
use super::failure::{read_failure, write_failure};
use super::options::{read_policy, write_policy};
use super::reader::{FieldsReader, Reader};
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::chain::{Chain, Successor};
use crate::ids::RunId;
use crate::time::Timestamp;
use crate::worker_version;

pub(crate) fn write_chain(writer: &mut Writer, chain: &Chain) {
    writer.fields(|fields| {
        for run in [chain.continued_run_id, chain.first_run_id] {
            fields.optional(run.is_none(), |writer| {
                write_option(writer, run.as_ref(), |writer, run| writer.binary(&run.0));
            });
        }
        fields.optional(chain.attempt == 1, |writer| {
            writer.unsigned(u64::from(chain.attempt));
        });
        let policy = chain.retry_policy.as_ref();
        fields.optional(policy.is_none(), |writer| {
            write_option(writer, policy, write_policy);
        });
        let failure = chain.last_failure.as_ref();
        fields.optional(failure.is_none(), |writer| {
            write_option(writer, failure, write_failure);
        });
        for at in [chain.ends_by, chain.begins_at] {
            fields.optional(at.is_none(), |writer| {
                write_option(writer, at.as_ref(), |writer, at| {
                    writer.signed(at.as_micros());
                });
            });
        }
        for span in [chain.execution_timeout, chain.start_delay] {
            fields.optional(span.is_none(), |writer| {
                write_optional_duration(writer, span);
            });
        }
        let pinned_to = chain.pinned_to.as_ref();
        fields.optional(pinned_to.is_none(), |writer| {
            write_option(writer, pinned_to, worker_version::write);
        });
    });
}

pub(crate) fn read_chain(reader: &mut Reader<'_>) -> Result<Chain, BatchError> {
    reader.fields(|fields| {
        Ok(Chain {
            continued_run_id: fields.optional(|| None, read_optional_run)?,
            first_run_id: fields.optional(|| None, read_optional_run)?,
            attempt: fields.optional(|| 1, Reader::unsigned32)?,
            retry_policy: fields.optional(|| None, |reader| read_option(reader, read_policy))?,
            last_failure: fields.optional(|| None, |reader| read_option(reader, read_failure))?,
            ends_by: fields.optional(|| None, read_optional_instant)?,
            begins_at: fields.optional(|| None, read_optional_instant)?,
            execution_timeout: fields.optional(|| None, read_optional_duration)?,
            start_delay: fields.optional(|| None, read_optional_duration)?,
            pinned_to: fields
                .optional(|| None, |reader| read_option(reader, worker_version::read))?,
        })
    })
}

fn read_optional_run(reader: &mut Reader<'_>) -> Result<Option<RunId>, BatchError> {
    read_option(reader, |reader| reader.binary16().map(RunId))
}

fn read_optional_instant(reader: &mut Reader<'_>) -> Result<Option<Timestamp>, BatchError> {
    read_option(reader, |reader| reader.signed().map(Timestamp::from_micros))
}

pub(crate) fn write_successor(fields: &mut Fields<'_>, successor: &Successor) {
    fields.required(|writer| writer.binary(&successor.run.0));
    fields.required(|writer| writer.fields(|fields| write_started(fields, &successor.start)));
}

pub(crate) fn read_successor(fields: &mut FieldsReader<'_, '_>) -> Result<Successor, BatchError> {
    Ok(Successor {
        run: RunId(fields.required(Reader::binary16)?),
        start: fields.required(|reader| reader.fields(read_started))?,
    })
}
