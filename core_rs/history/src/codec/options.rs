//! Activity options and retry policies. The defaults below belong to format 1 for ever: a later
//! change of the defaults in `command.rs` must not change what old histories say.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::common::{
    read_duration, read_option, read_optional_duration, read_string, write_duration, write_option,
    write_optional_duration,
};
use super::priority::{read_priority, write_priority};
use super::rate_limit::{read_rate_limits, write_rate_limits};
use super::reader::Reader;
use super::writer::Writer;
use crate::batch::BatchError;
use crate::command::{ActivityOptions, CancellationType, LocalOptions, RetryPolicy};
use crate::priority::Priority;

const START_TO_CLOSE_TIMEOUT: Option<Duration> = Some(Duration::from_secs(3_600));
const INITIAL_INTERVAL: Duration = Duration::from_secs(1);
const BACKOFF_COEFFICIENT: f64 = 2.0;
const MAXIMUM_INTERVAL: Duration = Duration::from_secs(100);
const JITTER: f64 = 0.1;

pub(crate) fn is_default(options: &ActivityOptions) -> bool {
    let ActivityOptions {
        task_queue: None,
        schedule_to_start_timeout: None,
        start_to_close_timeout: START_TO_CLOSE_TIMEOUT,
        schedule_to_close_timeout: None,
        heartbeat_timeout: None,
        retry_policy,
        cancellation_type: CancellationType::Try,
        priority,
        local: None,
        session: None,
        rate_limits,
    } = options
    else {
        return false;
    };
    priority.is_default() && rate_limits.is_empty() && is_default_policy(retry_policy)
}

pub(crate) fn is_default_policy(policy: &RetryPolicy) -> bool {
    policy.initial_interval == INITIAL_INTERVAL
        && same_float(policy.backoff_coefficient, BACKOFF_COEFFICIENT)
        && policy.maximum_interval == MAXIMUM_INTERVAL
        && policy.maximum_attempts == 0
        && policy.non_retryable_error_types.is_empty()
        && same_float(policy.jitter, JITTER)
}

/// By bits: what is left out must come back exactly.
fn same_float(left: f64, right: f64) -> bool {
    left.to_bits() == right.to_bits()
}

pub(crate) fn write_options(writer: &mut Writer, options: &ActivityOptions) {
    writer.fields(|fields| {
        let cancellation_type = number_of(options.cancellation_type);
        fields.optional(cancellation_type == 1, |writer| {
            writer.unsigned(cancellation_type)
        });
        let policy = &options.retry_policy;
        fields.optional(is_default_policy(policy), |writer| {
            write_policy(writer, policy)
        });
        let span = options.start_to_close_timeout;
        fields.optional(span == START_TO_CLOSE_TIMEOUT, |writer| {
            write_optional_duration(writer, span);
        });
        for span in [
            options.heartbeat_timeout,
            options.schedule_to_close_timeout,
            options.schedule_to_start_timeout,
        ] {
            fields.optional(span.is_none(), |writer| {
                write_optional_duration(writer, span)
            });
        }
        let task_queue = options.task_queue.as_ref();
        fields.optional(task_queue.is_none(), |writer| {
            write_option(writer, task_queue, |writer, name| writer.text(name));
        });
        let priority = &options.priority;
        fields.optional(priority.is_default(), |writer| {
            write_priority(writer, priority)
        });
        let local = options.local.as_ref();
        fields.optional(local.is_none(), |writer| {
            write_option(writer, local, write_local);
        });
        let session = options.session.as_ref();
        fields.optional(session.is_none(), |writer| {
            write_option(writer, session, |writer, n| writer.unsigned(*n));
        });
        let limits = &options.rate_limits;
        fields.optional(limits.is_empty(), |writer| {
            write_rate_limits(writer, limits)
        });
    });
}

pub(crate) fn read_options(reader: &mut Reader<'_>) -> Result<ActivityOptions, BatchError> {
    reader.fields(|fields| {
        let cancellation_type = fields.optional(CancellationType::default, read_cancellation)?;
        let retry_policy = fields.optional(default_policy, read_policy)?;
        let start_to_close_timeout =
            fields.optional(|| START_TO_CLOSE_TIMEOUT, read_optional_duration)?;
        let heartbeat_timeout = fields.optional(|| None, read_optional_duration)?;
        let schedule_to_close_timeout = fields.optional(|| None, read_optional_duration)?;
        let schedule_to_start_timeout = fields.optional(|| None, read_optional_duration)?;
        let task_queue = fields.optional(
            || None,
            |reader| read_option(reader, |reader| reader.text().map(Arc::from)),
        )?;
        let priority = fields.optional(Priority::default, read_priority)?;
        let local = fields.optional(|| None, |reader| read_option(reader, read_local))?;
        let session = fields.optional(|| None, |reader| read_option(reader, Reader::unsigned))?;
        let rate_limits = fields.optional(Vec::new, read_rate_limits)?;
        Ok(ActivityOptions {
            task_queue,
            schedule_to_start_timeout,
            start_to_close_timeout,
            schedule_to_close_timeout,
            heartbeat_timeout,
            retry_policy,
            cancellation_type,
            priority,
            local,
            session,
            rate_limits,
        })
    })
}

fn write_local(writer: &mut Writer, local: &LocalOptions) {
    writer.fields(|fields| {
        fields.required(|writer| write_duration(writer, local.retry_threshold));
        fields.optional(!local.recorded_first, |writer| {
            writer.boolean(local.recorded_first);
        });
    });
}

fn read_local(reader: &mut Reader<'_>) -> Result<LocalOptions, BatchError> {
    reader.fields(|fields| {
        Ok(LocalOptions {
            retry_threshold: fields.required(read_duration)?,
            recorded_first: fields.optional(|| false, Reader::boolean)?,
        })
    })
}

/// What a command without options means.
pub(crate) fn default_options() -> ActivityOptions {
    ActivityOptions {
        task_queue: None,
        schedule_to_start_timeout: None,
        start_to_close_timeout: START_TO_CLOSE_TIMEOUT,
        schedule_to_close_timeout: None,
        heartbeat_timeout: None,
        retry_policy: default_policy(),
        cancellation_type: CancellationType::Try,
        priority: Priority::default(),
        local: None,
        session: None,
        rate_limits: Vec::new(),
    }
}

fn default_policy() -> RetryPolicy {
    RetryPolicy {
        initial_interval: INITIAL_INTERVAL,
        backoff_coefficient: BACKOFF_COEFFICIENT,
        maximum_interval: MAXIMUM_INTERVAL,
        maximum_attempts: 0,
        non_retryable_error_types: Vec::new(),
        jitter: JITTER,
    }
}

pub(crate) fn number_of(cancellation_type: CancellationType) -> u64 {
    match cancellation_type {
        CancellationType::Try => 1,
        CancellationType::WaitCompleted => 2,
        CancellationType::Abandon => 3,
    }
}

pub(crate) fn read_cancellation(reader: &mut Reader<'_>) -> Result<CancellationType, BatchError> {
    match reader.unsigned()? {
        1 => Ok(CancellationType::Try),
        2 => Ok(CancellationType::WaitCompleted),
        3 => Ok(CancellationType::Abandon),
        other => reader.unknown("cancellation type", other),
    }
}

pub(crate) fn write_policy(writer: &mut Writer, policy: &RetryPolicy) {
    writer.fields(|fields| {
        let attempts = policy.maximum_attempts;
        fields.optional(attempts == 0, |writer| writer.unsigned(u64::from(attempts)));
        let span = policy.initial_interval;
        fields.optional(span == INITIAL_INTERVAL, |writer| {
            write_duration(writer, span)
        });
        let coefficient = policy.backoff_coefficient;
        fields.optional(same_float(coefficient, BACKOFF_COEFFICIENT), |writer| {
            writer.float(coefficient);
        });
        let span = policy.maximum_interval;
        fields.optional(span == MAXIMUM_INTERVAL, |writer| {
            write_duration(writer, span)
        });
        let types = &policy.non_retryable_error_types;
        fields.optional(types.is_empty(), |writer| {
            writer.array(types.len());
            types.iter().for_each(|name| writer.text(name));
        });
        let jitter = policy.jitter;
        fields.optional(same_float(jitter, JITTER), |writer| writer.float(jitter));
    });
}

pub(crate) fn read_policy(reader: &mut Reader<'_>) -> Result<RetryPolicy, BatchError> {
    reader.fields(|fields| {
        let maximum_attempts = fields.optional(|| 0, Reader::unsigned32)?;
        let initial_interval = fields.optional(|| INITIAL_INTERVAL, read_duration)?;
        let backoff_coefficient = fields.optional(|| BACKOFF_COEFFICIENT, Reader::float)?;
        let maximum_interval = fields.optional(|| MAXIMUM_INTERVAL, read_duration)?;
        let non_retryable_error_types = fields.optional(Vec::new, read_strings)?;
        let jitter = fields.optional(|| JITTER, Reader::float)?;
        Ok(RetryPolicy {
            initial_interval,
            backoff_coefficient,
            maximum_interval,
            maximum_attempts,
            non_retryable_error_types,
            jitter,
        })
    })
}

fn read_strings(reader: &mut Reader<'_>) -> Result<Vec<String>, BatchError> {
    let length = reader.array()?;
    // Grown as read: a lying length costs nothing beyond what is there.
    let mut strings = Vec::new();
    for _ in 0..length {
        strings.push(read_string(reader)?);
    }
    Ok(strings)
}
