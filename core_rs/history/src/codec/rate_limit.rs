//! Rate limits: `[key, limit, period, units = 1]` each.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::common::{read_duration, write_duration};
use super::reader::Reader;
use super::writer::Writer;
use crate::batch::BatchError;
use crate::rate_limit::RateLimit;

pub(crate) fn write_rate_limits(writer: &mut Writer, limits: &[RateLimit]) {
    writer.array(limits.len());
    for limit in limits {
        writer.fields(|fields| {
            fields.required(|writer| writer.text(&limit.key));
            fields.required(|writer| writer.unsigned(limit.limit));
            fields.required(|writer| write_duration(writer, limit.period));
            fields.optional(limit.units == 1, |writer| writer.unsigned(limit.units));
        });
    }
}

pub(crate) fn read_rate_limits(reader: &mut Reader<'_>) -> Result<Vec<RateLimit>, BatchError> {
    let length = reader.array()?;
    let mut limits = Vec::new();
    for _ in 0..length {
        limits.push(reader.fields(|fields| {
            Ok(RateLimit {
                key: fields.required(|reader| reader.text().map(Arc::from))?,
                limit: fields.required(Reader::unsigned)?,
                period: fields.required(read_duration)?,
                units: fields.optional(|| 1, Reader::unsigned)?,
            })
        })?);
    }
    Ok(limits)
}
