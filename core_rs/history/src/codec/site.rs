//! Call sites, written once a run: the first record that bears a site holds it whole, and later
//! records name that record's number.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::reader::Reader;
use super::writer::{Fields, Writer};
use crate::batch::BatchError;
use crate::command::Site;

/// Most sites of one run that are remembered; a site beyond is written whole each time.
const MAXIMUM_SITES: usize = 1_024;

/// Most strings that are shared between the records of one run while it is read.
const MAXIMUM_STRINGS: usize = 16;

/// The sites that a run's stored records hold, by both ways of asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sites {
    by_number: BTreeMap<u64, Arc<Site>>,
    by_site: BTreeMap<Arc<Site>, u64>,
    strings: Vec<Arc<str>>,
    next_string: usize,
}

impl Sites {
    pub(crate) fn learn(&mut self, n: u64, site: &Arc<Site>) {
        if self.by_number.len() < MAXIMUM_SITES {
            self.by_number.insert(n, Arc::clone(site));
            self.by_site.entry(Arc::clone(site)).or_insert(n);
        }
    }

    /// Writes the site of record `n`.
    pub(crate) fn write(&mut self, fields: &mut Fields<'_>, n: u64, site: &Arc<Site>) {
        let is_default = **site == Site::default();
        fields.optional(is_default, |writer| {
            if is_default {
                writer.nil();
            } else if let Some(earlier) = self.by_site.get(site) {
                writer.unsigned(*earlier);
            } else {
                write_whole(writer, site);
                self.learn(n, site);
            }
        });
    }

    /// Reads the site of the record that `reader` is at.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<Arc<Site>, BatchError> {
        if reader.nil() {
            return Ok(Arc::default());
        }
        if !reader.next_is_array() {
            let refers_to = reader.unsigned()?;
            let n = reader.n;
            let known = self.by_number.get(&refers_to);
            return known
                .map(Arc::clone)
                .ok_or(BatchError::UnknownSite { n, refers_to });
        }
        let site = reader.fields(|fields| {
            Ok(Site {
                file: fields.required(|reader| self.read_string(reader))?,
                line: fields.required(Reader::unsigned32)?,
                function: fields.required(|reader| self.read_string(reader))?,
                source_hash: fields.required(Reader::unsigned)?,
            })
        })?;
        let site = Arc::new(site);
        self.learn(reader.n, &site);
        Ok(site)
    }

    /// Reads a string that other records are likely to have too, and shares it.
    pub(crate) fn read_string(&mut self, reader: &mut Reader<'_>) -> Result<Arc<str>, BatchError> {
        let text = reader.text()?;
        if let Some(shared) = self.strings.iter().find(|shared| &***shared == text) {
            return Ok(Arc::clone(shared));
        }
        let shared: Arc<str> = Arc::from(text);
        if let Some(oldest) = self.strings.get_mut(self.next_string) {
            *oldest = Arc::clone(&shared);
        } else {
            self.strings.push(Arc::clone(&shared));
        }
        self.next_string = (self.next_string + 1) % MAXIMUM_STRINGS;
        Ok(shared)
    }
}

fn write_whole(writer: &mut Writer, site: &Site) {
    writer.array(4);
    writer.text(&site.file);
    writer.unsigned(u64::from(site.line));
    writer.text(&site.function);
    writer.unsigned(site.source_hash);
}
