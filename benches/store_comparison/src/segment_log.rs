//! A preallocated log of our own: the least that could do the work. Its index is in memory, so
//! that a restart reads all that is stored; it knows no queries and never gives space back.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::candidate::{Candidate, Turn};

const HEADER_BYTES: usize = 24;
const STEP_BYTES: u64 = 64 << 20;

#[derive(Default)]
struct Run {
    batches: Vec<(u64, u32)>,
    outstanding: Vec<u8>,
}

pub struct SegmentLog {
    file: File,
    end: u64,
    length: u64,
    runs: BTreeMap<u32, Run>,
}

impl SegmentLog {
    fn index(&mut self, at: u64, frame: &[u8]) -> Option<u64> {
        let number = |from: usize| {
            Some(u32::from_le_bytes(
                frame.get(from..from + 4)?.try_into().ok()?,
            ))
        };
        let (checksum, run, batch, outstanding) = (number(0)?, number(4)?, number(8)?, number(12)?);
        let length = HEADER_BYTES + batch as usize + outstanding as usize;
        let body = frame.get(4..length)?;
        if batch == 0 || crc32fast::hash(body) != checksum {
            return None;
        }
        let entry = self.runs.entry(run).or_default();
        entry.batches.push((at + HEADER_BYTES as u64, batch));
        entry.outstanding = frame.get(HEADER_BYTES + batch as usize..length)?.to_vec();
        Some(length as u64)
    }

    fn lengthen(&mut self, needed: u64) {
        while self.length < needed {
            let zeros = vec![0; 1 << 20];
            for at in (self.length..self.length + STEP_BYTES).step_by(zeros.len()) {
                self.file.write_all_at(&zeros, at).unwrap();
            }
            self.length += STEP_BYTES;
            self.file.sync_all().unwrap();
        }
    }
}

impl Candidate for SegmentLog {
    const NAME: &'static str = "own segment log";

    fn open(path: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path.join("segment"))
            .unwrap();
        let bytes = std::fs::read(path.join("segment")).unwrap();
        let mut log = Self {
            file,
            end: 0,
            length: bytes.len() as u64,
            runs: BTreeMap::new(),
        };
        while let Some(length) = bytes
            .get(log.end as usize..)
            .and_then(|rest| log.index(log.end, rest))
        {
            log.end += length;
        }
        log.lengthen(1);
        log
    }

    fn append(&mut self, group: &[Turn]) {
        let mut bytes = Vec::new();
        let begin = self.end;
        for turn in group {
            let from = bytes.len();
            bytes.extend([0; 4]);
            bytes.extend(turn.run.to_le_bytes());
            bytes.extend((turn.batch.len() as u32).to_le_bytes());
            bytes.extend((turn.outstanding.len() as u32).to_le_bytes());
            bytes.extend(turn.last_n.to_le_bytes());
            bytes.extend(&turn.batch);
            bytes.extend(&turn.outstanding);
            let checksum = crc32fast::hash(&bytes[from + 4..]);
            bytes[from..from + 4].copy_from_slice(&checksum.to_le_bytes());
            self.index(begin + from as u64, &bytes[from..]).unwrap();
        }
        self.lengthen(begin + bytes.len() as u64);
        self.file.write_all_at(&bytes, begin).unwrap();
        self.file.sync_data().unwrap();
        self.end += bytes.len() as u64;
    }

    fn read(&self, run: u32) -> Vec<Vec<u8>> {
        let Some(run) = self.runs.get(&run) else {
            return Vec::new();
        };
        let read = |(at, length): &(u64, u32)| {
            let mut batch = vec![0; *length as usize];
            self.file.read_exact_at(&mut batch, *at).unwrap();
            batch
        };
        run.batches.iter().map(read).collect()
    }

    fn recover(&self) -> Vec<(u32, Vec<u8>)> {
        self.runs
            .iter()
            .map(|(run, entry)| (*run, entry.outstanding.clone()))
            .collect()
    }
}
