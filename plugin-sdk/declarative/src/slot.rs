//! The reserved memory into which `pack` puts a table: [`HEAD`] is found in the module's data by its mark, and says where the
//! memory lies. What is put there is `length u32 LE | table`.
//!
//! The memory is zeros until then, which a module does not carry and an instance does not touch.
#![expect(
    unsafe_code,
    reason = "the table is written into the module after it was compiled: the compiler must not know it"
)]

use core::cell::UnsafeCell;

/// By which [`HEAD`] is found. It is no text that anything else would hold.
pub const MARK: [u8; 16] = *b"\x00\xA7table-is-at\xA7\x00\x01";

/// Bytes of the largest table, its length included.
pub const CAPACITY: usize = 256 * 1024;

#[repr(transparent)]
struct Memory(UnsafeCell<[u8; CAPACITY]>);

// SAFETY: nobody writes to it; the cell only keeps the compiler from taking it for the zeros that it is here.
unsafe impl Sync for Memory {}

/// The mark and, behind it, the address of the memory: `mark 16 | address u32 LE` in the module's data.
#[repr(C)]
struct Head {
    mark: [u8; 16],
    memory: &'static Memory,
}

static MEMORY: Memory = Memory(UnsafeCell::new([0; CAPACITY]));

#[used]
static HEAD: Head = Head { mark: MARK, memory: &MEMORY };

/// The table that was put into the module; none where nothing was.
pub(crate) fn bytes() -> Option<&'static [u8]> {
    // SAFETY: `HEAD` is a static of this type. A volatile read is not replaced by what the compiler knows of it.
    let head = unsafe { core::ptr::read_volatile(&raw const HEAD) };
    let start = head.memory.0.get().cast::<u8>();
    // SAFETY: the memory is a static of `CAPACITY` bytes, initialised and never written to while the program runs.
    let memory = unsafe { core::slice::from_raw_parts(start.cast_const(), CAPACITY) };
    let length = usize::try_from(u32::from_le_bytes(*memory.first_chunk()?)).ok()?;
    memory.get(4..).and_then(|rest| rest.get(..length)).filter(|table| !table.is_empty())
}
