//! One group of writes as one transaction.
//!
//! An entry is checked in full before its first row is written, so that a refused entry leaves
//! nothing behind and needs no savepoint. Whatever fails later fails the whole transaction.

use std::borrow::Cow;
use std::cell::RefCell;

use perdure_history::{MessageId, RunId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::append::{
    Append, AppendError, Close, InboxMessage, IndexChange, NewRun, Outstanding, StatusChange,
};
use crate::check;
use crate::local::checksum::Checksum;
use crate::local::chunks::{Cuts, KnownChunks};
use crate::local::error::Failure;
use crate::local::head::{self, Head, Heads, Place};
use crate::local::inbox::Posted;
use crate::local::inline::Inline;
use crate::local::{code, message, query, rates, visibility};
use crate::store::StoreError;

/// The statements of every step, looked up once a transaction.
struct Statements<'store> {
    insert_batch: CachedStatement<'store>,
    put_outstanding: CachedStatement<'store>,
    remove_outstanding: CachedStatement<'store>,
    put_head: CachedStatement<'store>,
}

impl<'store> Statements<'store> {
    fn prepare(connection: &'store Connection) -> Result<Self, Failure> {
        Ok(Self {
            insert_batch: connection.prepare_cached(
                "INSERT INTO batches (run_key, last_n, batch_before, checksum, body)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            put_outstanding: connection.prepare_cached(
                "INSERT OR REPLACE INTO outstanding
                     (run_key, command_n, kind, due_at, state, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            remove_outstanding: connection
                .prepare_cached("DELETE FROM outstanding WHERE run_key = ?1 AND command_n = ?2")?,
            put_head: connection.prepare_cached(
                "INSERT OR REPLACE INTO live
                     (run_key, last_n, last_batch, outstanding, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
        })
    }
}

/// Writes the entries of one transaction.
pub(crate) struct GroupWriter<'store> {
    pub(crate) connection: &'store Connection,
    statements: Statements<'store>,
    pub(crate) heads: &'store mut Heads,
    pub(crate) chunks: &'store mut KnownChunks,
    /// The epoch of this owner.
    epoch: u64,
    /// The epoch in the database: another one when a second owner has taken over.
    found_epoch: u64,
    /// What other processes have posted.
    posted: &'store RefCell<Posted>,
    buffer: Vec<u8>,
}

/// What the checks of an entry have found.
enum Checked<'append> {
    Refused(AppendError),
    Creates(&'append NewRun),
    Continues,
}

impl<'store> GroupWriter<'store> {
    /// Begins to write inside a transaction of `connection`.
    pub(crate) fn begin(
        connection: &'store Connection,
        (heads, chunks): (&'store mut Heads, &'store mut KnownChunks),
        posted: &'store RefCell<Posted>,
        epoch: u64,
    ) -> Result<Self, Failure> {
        let statements = Statements::prepare(connection)?;
        let found_epoch = self::epoch(connection)?;
        if found_epoch != epoch {
            // The other owner has written since: what was known of its runs is old.
            heads.clear();
            chunks.clear();
        }
        Ok(Self {
            connection,
            statements,
            heads,
            chunks,
            epoch,
            found_epoch,
            posted,
            buffer: Vec::new(),
        })
    }

    /// Refuses a write that is about no one run, when another owner has taken over.
    pub(crate) fn check_owner(&self) -> Result<(), Failure> {
        if self.found_epoch == self.epoch {
            return Ok(());
        }
        Err(Failure::Store(StoreError::Fenced {
            path: self.connection.path().unwrap_or_default().to_owned(),
            epoch: self.epoch,
            found_epoch: self.found_epoch,
        }))
    }

    /// Writes one entry, or says why not.
    pub(crate) fn write(
        &mut self,
        append: &Append,
        cuts: Option<&Cuts>,
    ) -> Result<Result<(), AppendError>, Failure> {
        let checked = match self.check(append) {
            Err(Failure::Damaged(reason)) => {
                let run = append.run;
                return Ok(Err(AppendError::Damaged { run, reason }));
            }
            checked => checked?,
        };
        let mut head = match checked {
            Checked::Refused(error) => return Ok(Err(error)),
            Checked::Continues => self
                .heads
                .take(append.run)
                .ok_or_else(|| Failure::Damaged("a head was lost".to_owned()))?,
            Checked::Creates(new) => self.insert_run(append.run, new)?,
        };
        if let Some(batch) = &append.batch {
            let body = match cuts {
                None => Cow::Borrowed(&batch[..]),
                Some(cuts) => {
                    let run_key = head.place.run_key;
                    Cow::Owned(self.chunks.store(self.connection, run_key, batch, cuts)?)
                }
            };
            head.place.last_batch = self.insert_batch(head.place, append.last_n, &body)?;
            head.place.last_n = append.last_n;
        }
        for id in &append.consumed_message_ids {
            self.consume(head.place, append.run, id)?;
        }
        if head.place.open {
            visibility::change(self.connection, head.place.run_key, &append.visibility)?;
            self.write_open(append, &mut head)?;
        }
        self.heads.keep(append.run, head);
        for message in append.inbox.iter().chain(&append.outbox) {
            self.put_message(message)?;
        }
        rates::write(self.connection, &append.rates)?;
        Ok(Ok(()))
    }

    fn check<'append>(&mut self, append: &'append Append) -> Result<Checked<'append>, Failure> {
        if let Err(error) = check::well_formed(append) {
            return Ok(Checked::Refused(error));
        }
        let head = self.heads.find(self.connection, append.run)?;
        let started = match &append.create {
            Some(new) => query::run_started_by(self.connection, &new.message_id)?,
            None => None,
        };
        let fits = match (&append.create, &head) {
            (Some(_), None) => true,
            (Some(_), Some(_)) => started.is_some(),
            (None, head) => head.is_some_and(|head| head.last_n == append.expected_n),
        };
        if !fits || append.epoch != self.epoch || self.found_epoch != self.epoch {
            return Ok(Checked::Refused(AppendError::Fenced {
                run: append.run,
                expected_n: append.expected_n,
                epoch: append.epoch,
                found_n: head.map_or(0, |head| head.last_n),
                found_epoch: self.found_epoch,
            }));
        }
        if let Some(run) = started {
            return Ok(Checked::Refused(AppendError::AlreadyStarted { run }));
        }
        let checked = match (&append.create, head) {
            (Some(new), _) => self.check_create(new)?,
            (None, Some(head)) => self.check_existing(append, head)?,
            // Without a head nothing fits, so that this is never reached.
            (None, None) => Checked::Refused(AppendError::Ambiguous { run: append.run }),
        };
        Ok(checked)
    }

    fn check_create<'append>(&self, new: &'append NewRun) -> Result<Checked<'append>, Failure> {
        let newest = query::newest_run(self.connection, &new.namespace, &new.workflow_id)?;
        Ok(match newest {
            Some(newest) if newest.closed_at.is_none() => {
                Checked::Refused(AppendError::AlreadyOpen {
                    workflow_id: new.workflow_id.clone(),
                    open_run: newest.run,
                })
            }
            Some(newest) if new.is_barred_by(newest.status) => {
                Checked::Refused(AppendError::IdUsed {
                    workflow_id: new.workflow_id.clone(),
                    last_run: newest.run,
                })
            }
            _ => Checked::Creates(new),
        })
    }

    fn check_existing(&self, append: &Append, place: Place) -> Result<Checked<'static>, Failure> {
        if !place.open && check::writes_content(append) {
            return Ok(Checked::Refused(AppendError::Closed { run: append.run }));
        }
        if append.batch.is_some() {
            for id in &append.consumed_message_ids {
                if query::is_consumed(self.connection, place.run_key, id)? {
                    return Ok(Checked::Refused(AppendError::AlreadyConsumed {
                        run: append.run,
                        message_id: id.clone(),
                    }));
                }
            }
        }
        Ok(Checked::Continues)
    }

    fn insert_run(&self, run: RunId, new: &NewRun) -> Result<Head, Failure> {
        let start_digest = message::digest(&new.message_id);
        let started_at = new.started_at.as_micros();
        let checksum = query::identity_checksum(
            &run,
            [
                &new.namespace,
                &new.workflow_id,
                &new.workflow_type,
                &new.task_queue,
            ],
            &start_digest,
            started_at,
        );
        let run_key = self
            .connection
            .prepare_cached(
                "INSERT INTO runs (run, namespace, workflow_id, workflow_type, task_queue,
                     start_digest, started_at, checksum,
                     status, status_detail, closed_at, last_n, last_batch, status_checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, x'', NULL, 0, 0, ?9)",
            )?
            .insert(params![
                run.0,
                new.namespace,
                new.workflow_id,
                new.workflow_type,
                new.task_queue,
                start_digest,
                started_at,
                checksum,
                query::status_checksum(&run, 0, &[], None, 0, 0),
            ])?;
        self.connection
            .prepare_cached("DELETE FROM inbox WHERE run = x'' AND message_id = ?1")?
            .execute(params![new.message_id.0])?;
        let place = Place {
            run_key,
            last_n: 0,
            last_batch: 0,
            open: true,
        };
        Ok(Head {
            place,
            outstanding: Inline::default(),
        })
    }

    fn insert_batch(&mut self, place: Place, last_n: u64, body: &[u8]) -> Result<i64, Failure> {
        let last_n = last_n.cast_signed();
        Ok(self.statements.insert_batch.insert(params![
            place.run_key,
            last_n,
            place.last_batch,
            batch_checksum(place.run_key, last_n, place.last_batch, body),
            body,
        ])?)
    }

    /// What only an open run has: its head, its index, its status and its end.
    fn write_open(&mut self, append: &Append, head: &mut Head) -> Result<(), Failure> {
        if let Some(close) = append.close {
            self.close(append.run, head, close)?;
            head.place.open = false;
            head.outstanding = Inline::default();
            return Ok(());
        }
        for change in &append.index_changes {
            self.change_index(head, change)?;
        }
        if let Some(change) = &append.status {
            self.change_status(append.run, head.place.run_key, change)?;
        }
        let Place {
            run_key,
            last_batch,
            ..
        } = head.place;
        let last_n = head.place.last_n.cast_signed();
        head.outstanding.encode(&mut self.buffer);
        self.statements.put_head.execute(params![
            run_key,
            last_n,
            last_batch,
            &self.buffer[..],
            head::checksum(run_key, last_n, last_batch, &self.buffer),
        ])?;
        Ok(())
    }

    fn change_index(&mut self, head: &mut Head, change: &IndexChange) -> Result<(), Failure> {
        let run_key = head.place.run_key;
        match change {
            IndexChange::Put(outstanding) => {
                if !head.outstanding.put(outstanding) {
                    self.put_outstanding(run_key, outstanding)?;
                }
            }
            IndexChange::Remove { command_n } => {
                if !head.outstanding.remove(*command_n) && head.outstanding.spilled {
                    self.statements
                        .remove_outstanding
                        .execute(params![run_key, command_n.cast_signed()])?;
                }
            }
        }
        Ok(())
    }

    fn change_status(
        &self,
        run: RunId,
        run_key: i64,
        change: &StatusChange,
    ) -> Result<(), Failure> {
        let status = code::of_status(change.status);
        let checksum = query::status_checksum(&run, status, &change.detail, None, 0, 0);
        self.connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, status_detail = ?3, status_checksum = ?4
                 WHERE run_key = ?1",
            )?
            .execute(params![run_key, status, &change.detail[..], checksum])?;
        Ok(())
    }

    fn close(&self, run: RunId, head: &Head, close: Close) -> Result<(), Failure> {
        let status = code::of_status(close.status);
        let closed_at = close.closed_at.as_micros();
        let Place {
            run_key,
            last_batch,
            ..
        } = head.place;
        let last_n = head.place.last_n.cast_signed();
        let checksum =
            query::status_checksum(&run, status, &[], Some(closed_at), last_n, last_batch);
        self.connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, status_detail = x'', closed_at = ?3, last_n = ?4,
                     last_batch = ?5, status_checksum = ?6
                 WHERE run_key = ?1",
            )?
            .execute(params![
                run_key, status, closed_at, last_n, last_batch, checksum
            ])?;
        self.connection
            .prepare_cached("DELETE FROM live WHERE run_key = ?1")?
            .execute(params![run_key])?;
        if head.outstanding.spilled {
            self.connection
                .prepare_cached("DELETE FROM outstanding WHERE run_key = ?1")?
                .execute(params![run_key])?;
        }
        Ok(())
    }

    fn put_outstanding(&mut self, run_key: i64, outstanding: &Outstanding) -> Result<(), Failure> {
        let kind = code::of_kind(outstanding.kind);
        let command_n = outstanding.command_n.cast_signed();
        let due_at = outstanding.due_at.as_micros();
        self.statements.put_outstanding.execute(params![
            run_key,
            command_n,
            kind,
            due_at,
            &outstanding.state[..],
            outstanding_checksum(run_key, command_n, kind, due_at, &outstanding.state),
        ])?;
        Ok(())
    }

    fn consume(&self, place: Place, run: RunId, id: &MessageId) -> Result<(), Failure> {
        self.connection
            .prepare_cached("DELETE FROM inbox WHERE run = ?1 AND message_id = ?2")?
            .execute(params![run.0, id.0])?;
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO consumed (run_key, digest) VALUES (?1, ?2)")?
            .execute(params![place.run_key, message::digest(id)])?;
        Ok(())
    }

    /// Puts a message into the owner's inbox; `false` when its id is known.
    pub(crate) fn put_message(&mut self, message: &InboxMessage) -> Result<bool, Failure> {
        let id = &message.message_id;
        let consumed = match message.run {
            None => query::run_started_by(self.connection, id)?.is_some(),
            Some(run) => match self.heads.find(self.connection, run)? {
                Some(place) => query::is_consumed(self.connection, place.run_key, id)?,
                None => false,
            },
        };
        if consumed || self.posted.borrow().contains(message.run.as_ref(), id)? {
            return Ok(false);
        }
        let after_posted = self.posted.borrow().last_receipt()?;
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO inbox (after_posted, run, message_id, received_at, body, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (run, message_id) DO NOTHING",
            )?
            .execute(params![
                after_posted,
                message::run_column(message.run.as_ref()),
                id.0,
                message.received_at.as_micros(),
                &message.body[..],
                message::placed_checksum(message, after_posted),
            ])?;
        Ok(inserted == 1)
    }
}

/// The checksum of a batch's row.
pub(crate) fn batch_checksum(run_key: i64, last_n: i64, batch_before: i64, body: &[u8]) -> i64 {
    Checksum::new()
        .number(run_key)
        .number(last_n)
        .number(batch_before)
        .bytes(body)
        .finish()
}

/// The checksum of an outstanding row.
pub(crate) fn outstanding_checksum(
    run_key: i64,
    command_n: i64,
    kind: i64,
    due_at: i64,
    state: &[u8],
) -> i64 {
    Checksum::new()
        .number(run_key)
        .number(command_n)
        .number(kind)
        .number(due_at)
        .bytes(state)
        .finish()
}

/// The epoch in the database.
pub(crate) fn epoch(connection: &Connection) -> Result<u64, Failure> {
    let epoch: Option<i64> = connection
        .prepare_cached("SELECT epoch FROM owner WHERE id = 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    epoch
        .map(i64::cast_unsigned)
        .ok_or_else(|| Failure::Damaged("the row that holds the epoch is gone".to_owned()))
}
