//! Priorities: `[priority key or nil, fairness key or nil, fairness weight]`, cut at the end.

use alloc::sync::Arc;

use super::common::{read_option, write_option};
use super::reader::Reader;
use super::writer::Writer;
use crate::batch::BatchError;
use crate::priority::Priority;

pub(crate) fn write_priority(writer: &mut Writer, priority: &Priority) {
    writer.fields(|fields| {
        let key = priority.priority_key.as_ref();
        fields.optional(key.is_none(), |writer| {
            write_option(writer, key, |writer, key| writer.unsigned(u64::from(*key)));
        });
        let key = priority.fairness_key.as_ref();
        fields.optional(key.is_none(), |writer| {
            write_option(writer, key, |writer, key| writer.text(key));
        });
        let weight = priority.fairness_weight.as_ref();
        fields.optional(weight.is_none(), |writer| {
            write_option(writer, weight, |writer, weight| writer.float(*weight));
        });
    });
}

pub(crate) fn read_priority(reader: &mut Reader<'_>) -> Result<Priority, BatchError> {
    reader.fields(|fields| {
        Ok(Priority {
            priority_key: fields.optional(|| None, |reader| read_option(reader, read_key))?,
            fairness_key: fields.optional(
                || None,
                |reader| read_option(reader, |reader| reader.text().map(Arc::from)),
            )?,
            fairness_weight: fields
                .optional(|| None, |reader| read_option(reader, Reader::float))?,
        })
    })
}

fn read_key(reader: &mut Reader<'_>) -> Result<u8, BatchError> {
    let key = reader.unsigned()?;
    u8::try_from(key).or_else(|_| reader.unknown("priority key", key))
}
