//! Checksums of pages, under SQLite: a flipped bit in an index, in the nodes of a tree or in the
//! schema would make a lookup find nothing, and "nothing" cannot carry a checksum of its own.
//!
//! Each page ends in eight reserved bytes. They are filled when a page goes into the database's
//! file, checked when it is read from there, and zero inside SQLite and in its log. Zeros are a
//! page that another program has copied there (a checkpoint, `VACUUM INTO`): it is taken unchecked
//! until it is written again.
//!
//! The leaves of tables are not checked here, since their rows carry checksums of their own: one
//! damaged row must not take its neighbours with it.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::{Connection, ffi};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::local::error::Failure;

/// The name of the way to files that checks pages.
pub(crate) const NAME: &CStr = c"perdure-pages";

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 4_096;

/// Bytes at its end that hold its checksum.
pub(crate) const RESERVED_BYTES: u8 = 8;

/// Where the header says how many bytes of each page are reserved.
pub(crate) const RESERVED_AT: usize = 20;

/// The first byte of a leaf of a table.
pub(crate) const TABLE_LEAF: u8 = 0x0D;

/// What the leaves of tables end in.
const LEAF_MARK: u64 = 0x5052_4452_4c45_4146;

/// Where the header counts changes: file, size, schema, and which SQLite counted last.
const COUNTED: [std::ops::Range<usize>; 3] = [24..32, 40..44, 92..100];

const CONTENT_BYTES: usize = PAGE_BYTES - RESERVED_BYTES as usize;

/// SQLite's own way to files, on which ours stands.
static BASE: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// What an open file has behind SQLite's own part of it.
#[repr(C)]
struct Behind {
    /// The methods of the file: those of the base, but for reading and writing.
    methods: ffi::sqlite3_io_methods,
    base: *const ffi::sqlite3_io_methods,
    /// Whether the file's header says that its pages carry checksums.
    signed: bool,
}

/// Registers the way to files, once a process.
pub(crate) fn register() -> Result<(), Failure> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    match *REGISTERED.get_or_init(register_once) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Failure::Sql(rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            Some("the checks of pages could not be registered".to_owned()),
        ))),
    }
}

fn register_once() -> c_int {
    // SAFETY: a null name asks for the default, which lives as long as the process.
    let base = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    if base.is_null() {
        return ffi::SQLITE_ERROR;
    }
    BASE.store(base, Ordering::Release);
    // SAFETY: `base` is not null, and SQLite never changes it after it was registered.
    let mut ours = unsafe { *base };
    ours.pNext = ptr::null_mut();
    ours.zName = NAME.as_ptr();
    ours.xOpen = Some(open);
    let end = behind_at(ours.szOsFile as usize) + size_of::<Behind>();
    ours.szOsFile = end as c_int;
    // SAFETY: SQLite keeps the pointer, and what it points to is never freed.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 0) }
}

const fn behind_at(base_bytes: usize) -> usize {
    base_bytes.next_multiple_of(align_of::<Behind>())
}

/// What lies behind the base's part of a file.
///
/// # Safety
/// `file` was made by [`open`] for a database, so that SQLite gave it the room asked for.
unsafe fn behind(file: *mut ffi::sqlite3_file) -> *mut Behind {
    let base = BASE.load(Ordering::Acquire);
    // SAFETY: set before the first file was opened; the room begins aligned, as SQLite's memory is.
    unsafe { file.byte_add(behind_at((*base).szOsFile as usize)).cast() }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let base = BASE.load(Ordering::Acquire);
    // SAFETY: the arguments are SQLite's own, and the base's part of `file` comes first.
    unsafe {
        let Some(base_open) = (*base).xOpen else {
            return ffi::SQLITE_ERROR;
        };
        let code = base_open(base, name, file, flags, out_flags);
        let methods = (*file).pMethods;
        if code != ffi::SQLITE_OK || methods.is_null() || flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
            return code;
        }
        let mut ours = *methods;
        // Without the methods for mapped memory, which would go round the checks.
        ours.iVersion = ours.iVersion.min(2);
        ours.xRead = Some(read);
        ours.xWrite = Some(write);
        let kept = behind(file);
        kept.write(Behind {
            methods: ours,
            base: methods,
            signed: false,
        });
        (*file).pMethods = &raw const (*kept).methods;
        code
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: only files of `open` have this method, and SQLite uses a file from one thread at a
    // time; `buffer` has room for `count` bytes, which the base has filled, with zeros at the end
    // of a file that is too short.
    let (code, kept, page) = unsafe {
        let kept = behind(file);
        let Some(base_read) = (*(*kept).base).xRead else {
            return ffi::SQLITE_IOERR_READ;
        };
        let code = base_read(file, buffer, count, offset);
        if code != ffi::SQLITE_OK && code != ffi::SQLITE_IOERR_SHORT_READ {
            return code;
        }
        let page = std::slice::from_raw_parts_mut(buffer.cast::<u8>(), count as usize);
        (code, &mut *kept, page)
    };
    if offset == 0 {
        kept.signed = is_signed(page, kept.signed);
    }
    if !kept.signed || page.len() != PAGE_BYTES {
        return code;
    }
    if code == ffi::SQLITE_IOERR_SHORT_READ || !is_sound(page, offset) {
        return ffi::SQLITE_IOERR_DATA;
    }
    if let Some(reserved) = page.get_mut(CONTENT_BYTES..) {
        reserved.fill(0);
    }
    code
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    count: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: as in `read`; `buffer` holds `count` bytes.
    unsafe {
        let kept = behind(file);
        let Some(base_write) = (*(*kept).base).xWrite else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let content = std::slice::from_raw_parts(buffer.cast::<u8>(), count as usize);
        if offset == 0 {
            (*kept).signed = is_signed(content, (*kept).signed);
        }
        let page = <&[u8; PAGE_BYTES]>::try_from(content);
        let (Ok(page), true) = (page, (*kept).signed) else {
            return base_write(file, buffer, count, offset);
        };
        // In a copy: SQLite's own page keeps its zeros.
        let mut page = *page;
        sign(&mut page, offset);
        base_write(file, page.as_ptr().cast(), count, offset)
    }
}

/// Whether the header that begins here says that pages carry checksums; as before without one.
fn is_signed(start: &[u8], before: bool) -> bool {
    match start.get(RESERVED_AT) {
        Some(reserved) if start.starts_with(b"SQLite format 3\0") => *reserved == RESERVED_BYTES,
        _ => before,
    }
}

fn sign(page: &mut [u8; PAGE_BYTES], offset: i64) {
    if let Some((content, reserved)) = page.split_last_chunk_mut::<{ RESERVED_BYTES as usize }>() {
        *reserved = seal(content, offset).to_be_bytes();
    }
}

fn is_sound(page: &[u8], offset: i64) -> bool {
    let Some((content, kept)) = page.split_last_chunk::<{ RESERVED_BYTES as usize }>() else {
        return false;
    };
    let kept = u64::from_be_bytes(*kept);
    kept == 0 || kept == seal(content, offset)
}

/// What a page ends in, never zero: of a leaf a fixed mark, so that a node which a flipped bit has
/// made to look like one is found out; of any other page a checksum over it at its place.
fn seal(content: &[u8], offset: i64) -> u64 {
    if offset != 0 {
        return match content.first() {
            Some(&TABLE_LEAF) => LEAF_MARK,
            _ => xxh3_64_with_seed(content, offset.cast_unsigned()).max(1),
        };
    }
    // SQLite's own backup copies the first page and then counts that change in its header.
    let mut first = content.to_vec();
    for counted in COUNTED {
        if let Some(bytes) = first.get_mut(counted) {
            bytes.fill(0);
        }
    }
    xxh3_64_with_seed(&first, 0).max(1)
}

/// Asks SQLite to leave room for checksums in the pages of a database that is not made yet.
pub(crate) fn reserve(connection: &Connection) -> Result<(), Failure> {
    let mut bytes = c_int::from(RESERVED_BYTES);
    // SAFETY: the handle is valid while `connection` is borrowed, and this control takes an
    // integer, into which it writes what was reserved before.
    let code = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_RESERVE_BYTES,
            (&raw mut bytes).cast(),
        )
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Failure::Sql(rusqlite::Error::SqliteFailure(
            ffi::Error::new(code),
            None,
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_sound_as_it_was_signed_at_its_place_or_without_a_checksum() {
        let mut page = [7; PAGE_BYTES];
        page[0] = 0x0A;
        sign(&mut page, 8_192);
        assert!(is_sound(&page, 8_192));
        assert!(!is_sound(&page, 4_096), "another page's content");
        for bit in (0..PAGE_BYTES * 8).step_by(37) {
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sound(&page, 8_192), "bit {bit}");
            page[bit / 8] ^= 1 << (bit % 8);
        }
        page[CONTENT_BYTES..].fill(0);
        assert!(is_sound(&page, 8_192));
    }

    #[test]
    fn the_leaf_of_a_table_is_left_to_its_rows_but_for_the_schema() {
        let mut page = [7; PAGE_BYTES];
        page[0] = TABLE_LEAF;
        sign(&mut page, 4_096);
        page[100] ^= 1;
        assert!(is_sound(&page, 4_096));
        sign(&mut page, 0);
        page[100] ^= 1;
        assert!(!is_sound(&page, 0));
    }

    #[test]
    fn a_node_that_a_flipped_bit_makes_a_leaf_is_found_out() {
        let mut page = [7; PAGE_BYTES];
        page[0] = 0x05;
        sign(&mut page, 4_096);
        page[0] ^= 0x08;
        assert_eq!(page[0], TABLE_LEAF);
        assert!(!is_sound(&page, 4_096));
    }
}
