//! A request for a reset, and a new run's copied history, as the inbox keeps them.

use bytes::{BufMut, Bytes, BytesMut};
use perdure_history::{
    Batch, Event, MessageId, Payload, Record, RecordBody, RunId, RunReset, Timestamp,
};

use super::ResetRun;
use crate::input::MessageBody;
use crate::message_codec::{Kept, KeptError};

/// The first byte of what is kept: a request follows, as the number of its event and the records
/// that it would write.
pub(crate) const RESET: u8 = 16;
/// The first byte of what is kept: the history of a run follows that is to be made.
pub(crate) const COPY: u8 = 17;

/// Where the batch of a request begins.
pub(crate) const REQUEST_AT: usize = 9;

pub(crate) fn encode_request(message_id: &MessageId, request: &ResetRun, at: Timestamp) -> Bytes {
    let reset = Event::RunReset(
        RunReset {
            message_id: message_id.clone(),
            run: request.from,
            reason: request.reason.clone(),
            results: Vec::new(),
            drops_messages: !request.keeps_messages,
            ends_by: None,
            fork: request.fork.clone(),
        }
        .into(),
    );
    let results = request.results.iter();
    let results = results.map(|(command_n, result)| Event::ActivityCompleted {
        command_n: *command_n,
        attempt: 0,
        result: result.clone(),
    });
    let records = (1..)
        .zip(std::iter::once(reset).chain(results))
        .map(|(n, event)| Record {
            n,
            at,
            body: RecordBody::Event(event),
        });
    let mut out = BytesMut::new();
    out.put_u8(RESET);
    out.put_u64(request.event_n);
    out.put_slice(&batch(request.run, records.collect()).encode());
    out.freeze()
}

pub(crate) fn decode_request(body: &Bytes) -> Result<Kept, KeptError> {
    let event_n = body.get(1..REQUEST_AT).ok_or(KeptError::NotOneEvent)?;
    let event_n = u64::from_be_bytes(event_n.try_into().unwrap_or_default());
    let batch = Batch::decode(&body.slice(REQUEST_AT..))?;
    let mut events = batch.records.into_iter().map(|record| record.body);
    let Some(RecordBody::Event(Event::RunReset(reset))) = events.next() else {
        return Err(KeptError::NotOneEvent);
    };
    let results: Option<Vec<(u64, Payload)>> = events
        .map(|body| match body {
            RecordBody::Event(Event::ActivityCompleted {
                command_n, result, ..
            }) => Some((command_n, result)),
            _ => None,
        })
        .collect();
    Ok(Kept::Message(MessageBody::Reset(Box::new(ResetRun {
        from: reset.run,
        run: batch.run,
        event_n,
        reason: reset.reason.clone(),
        results: results.ok_or(KeptError::NotOneEvent)?,
        keeps_messages: !reset.drops_messages,
        fork: reset.fork.clone(),
    }))))
}

pub(crate) fn encode_copy(run: RunId, records: &[Record]) -> Bytes {
    let encoded = batch(run, records.to_vec()).encode();
    let mut out = BytesMut::with_capacity(1 + encoded.len());
    out.put_u8(COPY);
    out.put_slice(&encoded);
    out.freeze()
}

pub(crate) fn decode_copy(body: &Bytes) -> Result<Kept, KeptError> {
    let batch = Batch::decode(&body.slice(1..))?;
    Ok(Kept::Copy {
        run: batch.run,
        records: batch.records,
    })
}

fn batch(run: RunId, records: Vec<Record>) -> Batch {
    Batch {
        run,
        first_n: 1,
        prev_hash: [0; 16],
        epoch: 0,
        flags: 0,
        records,
    }
}

#[cfg(test)]
mod tests {
    use perdure_history::Fork;
    use perdure_history::testing::HistoryBuilder;

    use super::*;
    use crate::message_codec::{decode_message, encode_message};

    fn is_read_back(kept: &Bytes, expected: &Kept) {
        assert_eq!(decode_message(kept).as_ref(), Ok(expected));
        for length in 0..kept.len() {
            let cut = kept.slice(..length);
            assert!(decode_message(&cut).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_request_and_a_copy_are_read_back() {
        let run = RunId([4; 16]);
        let request = ResetRun {
            from: RunId([3; 16]),
            run,
            event_n: 300,
            reason: "again".to_owned(),
            results: vec![(2, Payload(Bytes::from_static(b"\x07")))],
            keeps_messages: false,
            fork: Some(Fork {
                workflow_id: "order-2".to_owned(),
                seed: 5,
                origin: run,
            }),
        };
        let body = MessageBody::Reset(Box::new(request));
        let id = MessageId("m1".to_owned());
        let kept = encode_message(&id, &body, Timestamp::from_micros(5)).unwrap();
        is_read_back(&kept, &Kept::Message(body));

        let mut history = HistoryBuilder::started("order");
        history.schedule("charge");
        let records = history.records();
        let copy = encode_copy(run, &records);
        is_read_back(&copy, &Kept::Copy { run, records });
    }
}
