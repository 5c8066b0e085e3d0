//! What stands between payloads in memory and payloads on the disk: compression, encryption.
//!
//! The engine and everything behind it have plain payloads: replay compares them, activities and
//! workers of other languages get them. Encoded is what a write takes to the store, all of it:
//! records, messages, progress and memos. Search attributes are no payloads; they stay readable.

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{Event, MessageId, Payload, Record, RecordBody, Timestamp, payloads};
use perdure_store::{Append, InboxMessage, IndexChange, OutstandingKind};

use crate::activity;
use crate::input::MessageBody;
use crate::message_codec;

/// Encodes and decodes payloads. Called on the host's thread, many payloads at once.
pub trait PayloadCodec: Send + Sync + std::fmt::Debug {
    /// The stored form of each, in order: what it cannot encode must not be written.
    ///
    /// # Errors
    /// Why one of them cannot be encoded, for people.
    fn encode(&self, plain: &[Bytes]) -> Result<Vec<Bytes>, String>;

    /// The value of each, in order. One that cannot be decoded is given back as it is: it names
    /// what it is encoded with, to the code that comes to need it.
    fn decode(&self, encoded: &[Bytes]) -> Vec<Bytes>;
}

/// The codec of an engine, if it has one: without one, nothing is looked at.
#[derive(Clone, Debug, Default)]
pub struct Seal(Option<Arc<dyn PayloadCodec>>);

impl Seal {
    /// A seal with this codec.
    #[must_use]
    pub fn new(codec: Option<Arc<dyn PayloadCodec>>) -> Self {
        Self(codec)
    }

    /// Encodes what is not yet encoded.
    ///
    /// # Errors
    /// What the codec says; nothing is changed then.
    pub fn close(&self, mut payloads: Vec<&mut Payload>) -> Result<(), String> {
        let Some(codec) = &self.0 else {
            return Ok(());
        };
        payloads.retain(|payload| !payload.is_encoded());
        if payloads.is_empty() {
            return Ok(());
        }
        let encoded = codec.encode(&bytes_of(&payloads))?;
        if encoded.len() != payloads.len() {
            return Err("the codec gave another number of payloads than it got".to_owned());
        }
        put(payloads, encoded);
        Ok(())
    }

    /// Decodes what is encoded, as far as the codec can.
    pub fn open(&self, mut payloads: Vec<&mut Payload>) {
        let Some(codec) = &self.0 else {
            return;
        };
        payloads.retain(|payload| payload.is_encoded());
        if payloads.is_empty() {
            return;
        }
        let decoded = codec.decode(&bytes_of(&payloads));
        if decoded.len() == payloads.len() {
            put(payloads, decoded);
        }
    }

    /// Decodes the payloads of records.
    pub fn open_records(&self, records: &mut [Record]) {
        if self.0.is_some() {
            self.open(in_records(records));
        }
    }

    /// Decodes the payloads of a kept message; one that cannot be read is left to its reader.
    #[must_use]
    pub fn open_message(&self, body: &Bytes) -> Bytes {
        let open = |payloads: Vec<&mut Payload>| {
            self.open(payloads);
            Ok(())
        };
        match &self.0 {
            Some(_) => message_codec::recode(body, open).unwrap_or_else(|_| body.clone()),
            None => body.clone(),
        }
    }

    /// Encodes the payloads of a kept message.
    ///
    /// # Errors
    /// What the codec says, or why the message cannot be read.
    pub fn close_message(&self, body: &Bytes) -> Result<Bytes, String> {
        match &self.0 {
            Some(_) => message_codec::recode(body, |payloads| self.close(payloads)),
            None => Ok(body.clone()),
        }
    }

    /// Whether there is a codec.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Why an event cannot be stored, if it cannot.
    pub(crate) fn refuses(&self, event: &Event) -> Option<String> {
        self.0.as_ref()?;
        let mut body = RecordBody::Event(event.clone());
        self.close(payloads::of_record(&mut body)).err()
    }

    /// Whether a client's message can be stored.
    ///
    /// # Errors
    /// Why it cannot.
    pub(crate) fn accepts(&self, id: &MessageId, body: &MessageBody) -> Result<(), String> {
        if self.0.is_none() {
            return Ok(());
        }
        let kept = message_codec::encode_message(id, body, Timestamp::from_micros(0));
        kept.map_or(Ok(()), |kept| self.close_message(&kept).map(drop))
    }

    /// Records as they are to be stored; nothing without a codec.
    pub(crate) fn stored(&self, records: &[Record]) -> Result<Vec<Record>, String> {
        if self.0.is_none() {
            return Ok(Vec::new());
        }
        let mut stored = records.to_vec();
        self.close_records(&mut stored)?;
        Ok(stored)
    }

    /// What goes to the store: what is encoded already, or else the records, encoded.
    pub(crate) fn finish(
        &self,
        records: Vec<Record>,
        stored: Vec<Record>,
    ) -> Result<Vec<Record>, String> {
        match &self.0 {
            None => Ok(records),
            Some(_) if stored.len() == records.len() => Ok(stored),
            Some(_) => self.stored(&records),
        }
    }

    fn close_records(&self, records: &mut [Record]) -> Result<(), String> {
        match &self.0 {
            Some(_) => self.close(in_records(records)),
            None => Ok(()),
        }
    }

    /// Encodes whatever an append holds besides its batch, which is encoded already.
    pub(crate) fn close_append(&self, append: &mut Append) -> Result<(), String> {
        if self.0.is_none() {
            return Ok(());
        }
        let memo = append.visibility.memo.iter_mut();
        self.close(memo.filter_map(|(_, value)| value.as_mut()).collect())?;
        for InboxMessage { body, .. } in append.inbox.iter_mut().chain(&mut append.outbox) {
            *body = self.close_message(body)?;
        }
        for change in &mut append.index_changes {
            if let IndexChange::Put(kept) = change
                && kept.kind == OutstandingKind::Activity
                && let Some((head, mut details)) = activity::split_details(&kept.state)
            {
                self.close(vec![&mut details])?;
                kept.state = [head, details.0].concat().into();
            }
        }
        Ok(())
    }
}

fn in_records(records: &mut [Record]) -> Vec<&mut Payload> {
    let bodies = records.iter_mut().map(|record| &mut record.body);
    bodies.flat_map(payloads::of_record).collect()
}

fn bytes_of(payloads: &[&mut Payload]) -> Vec<Bytes> {
    payloads.iter().map(|payload| payload.0.clone()).collect()
}

fn put(payloads: Vec<&mut Payload>, changed: Vec<Bytes>) {
    for (payload, bytes) in payloads.into_iter().zip(changed) {
        payload.0 = bytes;
    }
}

#[cfg(test)]
mod tests {
    use perdure_history::{IdPolicy, RunId};

    use super::*;
    use crate::input::{ActivityWord, StartUpdate};
    use crate::message_codec::{Kept, decode_message, encode_message};
    use crate::task::TaskOutcome;

    const PLAIN: &[u8] = b"\xa6secret";

    /// Turns payloads around behind the mark; fails when told to.
    #[derive(Debug)]
    struct Mirror {
        fails: bool,
    }

    impl PayloadCodec for Mirror {
        fn encode(&self, plain: &[Bytes]) -> Result<Vec<Bytes>, String> {
            if self.fails {
                return Err("no key".to_owned());
            }
            let turned = |each: &Bytes| {
                [0xc1]
                    .into_iter()
                    .chain(each.iter().rev().copied())
                    .collect()
            };
            Ok(plain.iter().map(turned).collect())
        }

        fn decode(&self, encoded: &[Bytes]) -> Vec<Bytes> {
            let turned = |each: &Bytes| each.iter().skip(1).rev().copied().collect();
            encoded.iter().map(turned).collect()
        }
    }

    fn mirror(fails: bool) -> Seal {
        Seal::new(Some(Arc::new(Mirror { fails })))
    }

    fn bodies() -> Vec<MessageBody> {
        let run = RunId([3; 16]);
        let payload = || Payload(Bytes::from_static(PLAIN));
        let mut start = crate::testing::start(run, "order-1", "audit");
        start.arguments = payload();
        start.memo = vec![("who".to_owned(), payload())];
        let outcome = TaskOutcome::Completed { result: payload() };
        let mut replacing = start.clone();
        replacing.id_policy = IdPolicy::from_byte(1).unwrap();
        replacing.update = Some(StartUpdate {
            id: MessageId("u".to_owned()),
            name: "tell".to_owned(),
            arguments: payload(),
        });
        assert_ne!(replacing.id_policy, IdPolicy::default());
        vec![
            MessageBody::Start(Box::new(start)),
            MessageBody::Start(Box::new(replacing)),
            MessageBody::Signal {
                run,
                name: "tell".to_owned(),
                arguments: payload(),
            },
            MessageBody::Activity(Box::new(ActivityWord {
                run,
                command_n: 2,
                token: Some((1, 77)),
                outcome,
            })),
            MessageBody::Unpark { run },
        ]
    }

    fn holds_plain(bytes: &[u8]) -> bool {
        bytes.windows(PLAIN.len()).any(|window| window == PLAIN)
    }

    #[test]
    fn a_kept_message_is_encoded_and_read_back() {
        let seal = mirror(false);
        for body in bodies() {
            let kept = encode_message(&MessageId("m".to_owned()), &body, Timestamp::from_micros(7));
            let closed = seal.close_message(&kept.unwrap()).unwrap();
            assert!(!holds_plain(&closed), "{body:?}");
            assert_eq!(
                seal.close_message(&closed).unwrap(),
                closed,
                "encoded twice"
            );
            let opened = decode_message(&seal.open_message(&closed));
            assert_eq!(opened, Ok(Kept::Message(body)));
        }
    }

    #[test]
    fn what_cannot_be_encoded_stays_as_it_was_and_is_told() {
        let mut payload = Payload(Bytes::from_static(PLAIN));
        let refused = mirror(true).close(vec![&mut payload]);
        assert_eq!(refused, Err("no key".to_owned()));
        assert_eq!(payload.0, PLAIN);
    }
}
