//! One group of writes as one transaction.
//!
//! An entry is checked in full before its first row is written, so that a refused entry leaves
//! nothing behind and needs no savepoint. Whatever fails later fails the whole transaction.

use std::cell::RefCell;

use perdure_history::{MessageId, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use crate::append::{Append, AppendError, Close, InboxMessage, IndexChange, NewRun, Outstanding};
use crate::check;
use crate::local::checksum::Checksum;
use crate::local::error::Failure;
use crate::local::head::{self, Head, Heads};
use crate::local::inbox::Posted;
use crate::local::{code, message, query};

/// Writes the entries of one transaction.
pub(crate) struct GroupWriter<'store> {
    pub(crate) connection: &'store Connection,
    pub(crate) heads: &'store mut Heads,
    /// The epoch of this owner.
    pub(crate) epoch: u64,
    /// The epoch in the database: another one when a second owner has taken over.
    pub(crate) found_epoch: u64,
    /// What other processes have posted.
    pub(crate) posted: &'store RefCell<Posted>,
}

/// What the checks of an entry have found.
enum Checked {
    Refused(AppendError),
    Creates,
    Continues(Head),
}

impl GroupWriter<'_> {
    /// Writes one entry, or says why not.
    pub(crate) fn write(&mut self, append: &Append) -> Result<Result<(), AppendError>, Failure> {
        let mut head = match self.check(append)? {
            Checked::Refused(error) => return Ok(Err(error)),
            Checked::Continues(head) => head,
            Checked::Creates => self.insert_run(append)?,
        };
        if let Some(batch) = &append.batch {
            head.last_batch = self.insert_batch(&head, append.last_n, batch)?;
            head.last_n = append.last_n;
        }
        for id in &append.consumed_message_ids {
            self.consume(&head, append.run, id)?;
        }
        if head.open {
            self.write_open(append, &mut head)?;
        }
        for message in append.inbox.iter().chain(&append.outbox) {
            self.put_message(message)?;
        }
        self.heads.keep(append.run, head);
        Ok(Ok(()))
    }

    fn check(&mut self, append: &Append) -> Result<Checked, Failure> {
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

    fn check_create(&self, new: &NewRun) -> Result<Checked, Failure> {
        let open = query::open_run(self.connection, &new.namespace, &new.workflow_id)?;
        Ok(match open {
            Some(open_run) => Checked::Refused(AppendError::AlreadyOpen {
                workflow_id: new.workflow_id.clone(),
                open_run,
            }),
            None => Checked::Creates,
        })
    }

    fn check_existing(&self, append: &Append, head: Head) -> Result<Checked, Failure> {
        if !head.open && check::writes_content(append) {
            return Ok(Checked::Refused(AppendError::Closed { run: append.run }));
        }
        if append.batch.is_some() {
            for id in &append.consumed_message_ids {
                if query::is_consumed(self.connection, head.run_key, id)? {
                    return Ok(Checked::Refused(AppendError::AlreadyConsumed {
                        run: append.run,
                        message_id: id.clone(),
                    }));
                }
            }
        }
        Ok(Checked::Continues(head))
    }

    fn insert_run(&self, append: &Append) -> Result<Head, Failure> {
        let Some(new) = &append.create else {
            return Err(Failure::Damaged(
                "a run without a creating write".to_owned(),
            ));
        };
        let start_digest = message::digest(&new.message_id);
        let started_at = new.started_at.as_micros();
        let checksum = query::identity_checksum(
            &append.run,
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
                append.run.0,
                new.namespace,
                new.workflow_id,
                new.workflow_type,
                new.task_queue,
                start_digest,
                started_at,
                checksum,
                query::status_checksum(&append.run, 0, &[], None, 0, 0),
            ])?;
        self.connection
            .prepare_cached("DELETE FROM inbox WHERE run = x'' AND message_id = ?1")?
            .execute(params![new.message_id.0])?;
        let close_follows = append.close.is_some();
        if !close_follows {
            self.connection
                .prepare_cached(
                    "INSERT INTO live (run_key, command_n, kind, last_n, last_batch, checksum)
                     VALUES (?1, 0, 0, 0, 0, 0)",
                )?
                .execute(params![run_key])?;
        }
        Ok(Head {
            run_key,
            last_n: 0,
            last_batch: 0,
            open: true,
        })
    }

    fn insert_batch(&self, head: &Head, last_n: u64, body: &[u8]) -> Result<i64, Failure> {
        let last_n = last_n.cast_signed();
        Ok(self
            .connection
            .prepare_cached(
                "INSERT INTO batches (run_key, last_n, batch_before, checksum, body)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .insert(params![
                head.run_key,
                last_n,
                head.last_batch,
                batch_checksum(head.run_key, last_n, head.last_batch, body),
                body,
            ])?)
    }

    /// What only an open run has: its head, its index, its status and its end.
    fn write_open(&self, append: &Append, head: &mut Head) -> Result<(), Failure> {
        if let Some(close) = append.close {
            self.close(append.run, head, close)?;
            head.open = false;
            return Ok(());
        }
        for change in &append.index_changes {
            match change {
                IndexChange::Put(outstanding) => self.put_outstanding(head, outstanding)?,
                IndexChange::Remove { command_n } => self.remove_outstanding(head, *command_n)?,
            }
        }
        if let Some(change) = &append.status {
            let status = code::of_status(change.status);
            let checksum = query::status_checksum(&append.run, status, &change.detail, None, 0, 0);
            self.connection
                .prepare_cached(
                    "UPDATE runs SET status = ?2, status_detail = ?3, status_checksum = ?4
                     WHERE run_key = ?1",
                )?
                .execute(params![head.run_key, status, &change.detail[..], checksum])?;
        }
        let due_at = append.next_wake.map(|at| at.as_micros());
        let last_n = head.last_n.cast_signed();
        self.connection
            .prepare_cached(
                "UPDATE live SET due_at = ?2, last_n = ?3, last_batch = ?4, checksum = ?5
                 WHERE run_key = ?1 AND command_n = 0",
            )?
            .execute(params![
                head.run_key,
                due_at,
                last_n,
                head.last_batch,
                head::checksum(head.run_key, due_at, last_n, head.last_batch),
            ])?;
        Ok(())
    }

    fn close(&self, run: RunId, head: &Head, close: Close) -> Result<(), Failure> {
        let status = code::of_status(close.status);
        let closed_at = close.closed_at.as_micros();
        let last_n = head.last_n.cast_signed();
        let checksum =
            query::status_checksum(&run, status, &[], Some(closed_at), last_n, head.last_batch);
        self.connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, status_detail = x'', closed_at = ?3, last_n = ?4,
                     last_batch = ?5, status_checksum = ?6
                 WHERE run_key = ?1",
            )?
            .execute(params![
                head.run_key,
                status,
                closed_at,
                last_n,
                head.last_batch,
                checksum
            ])?;
        self.connection
            .prepare_cached("DELETE FROM live WHERE run_key = ?1")?
            .execute(params![head.run_key])?;
        Ok(())
    }

    fn put_outstanding(&self, head: &Head, outstanding: &Outstanding) -> Result<(), Failure> {
        let kind = code::of_kind(outstanding.kind);
        let command_n = outstanding.command_n.cast_signed();
        let due_at = outstanding.due_at.as_micros();
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO live (run_key, command_n, kind, due_at, state, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                head.run_key,
                command_n,
                kind,
                due_at,
                &outstanding.state[..],
                outstanding_checksum(head.run_key, command_n, kind, due_at, &outstanding.state),
            ])?;
        Ok(())
    }

    fn remove_outstanding(&self, head: &Head, command_n: u64) -> Result<(), Failure> {
        self.connection
            .prepare_cached("DELETE FROM live WHERE run_key = ?1 AND command_n = ?2")?
            .execute(params![head.run_key, command_n.cast_signed()])?;
        Ok(())
    }

    fn consume(&self, head: &Head, run: RunId, id: &MessageId) -> Result<(), Failure> {
        self.connection
            .prepare_cached("DELETE FROM inbox WHERE run = ?1 AND message_id = ?2")?
            .execute(params![run.0, id.0])?;
        self.connection
            .prepare_cached("INSERT OR IGNORE INTO consumed (run_key, digest) VALUES (?1, ?2)")?
            .execute(params![head.run_key, message::digest(id)])?;
        Ok(())
    }

    /// Puts a message into the owner's inbox; `false` when its id is known.
    pub(crate) fn put_message(&mut self, message: &InboxMessage) -> Result<bool, Failure> {
        let id = &message.message_id;
        let consumed = match message.run {
            None => query::run_started_by(self.connection, id)?.is_some(),
            Some(run) => match self.heads.find(self.connection, run)? {
                Some(head) => query::is_consumed(self.connection, head.run_key, id)?,
                None => false,
            },
        };
        if consumed || self.posted.borrow().contains(message.run.as_ref(), id)? {
            return Ok(false);
        }
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO inbox (after_posted, run, message_id, received_at, body, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (run, message_id) DO NOTHING",
            )?
            .execute(params![
                self.posted.borrow().last_receipt()?,
                message::run_column(message.run.as_ref()),
                id.0,
                message.received_at.as_micros(),
                &message.body[..],
                message::checksum(message),
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
