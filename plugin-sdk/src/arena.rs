//! The guest's allocator: a bump arena. A decoder's instance lives for one uplink, so memory is never given back, and
//! allocating costs an addition. Measured against the default allocator it halves the time of a fresh decode.
#![expect(unsafe_code, reason = "a global allocator hands out raw memory; the invariants are stated at each block")]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::Cell;
use core::ptr;

/// WebAssembly's unit of memory growth, bytes.
const PAGE: usize = 65_536;

/// What every instance has from the start, bytes: a usual decode never grows the memory, which would cost a system call
/// in the host. It is in `.bss`, so it takes no room in the module and untouched pages cost nothing.
const RESERVE: usize = PAGE;

#[repr(align(16))]
struct Reserve(Cell<[u8; RESERVE]>);

// SAFETY: `wasm32-unknown-unknown` without the threads proposal has one thread.
unsafe impl Sync for Reserve {}

static FIRST: Reserve = Reserve(Cell::new([0; RESERVE]));

/// Bump allocator over the reserve first and grown pages after it.
pub struct Arena {
    /// Address of the next free byte; 0 before the first allocation.
    next: Cell<usize>,
    /// Address behind the last usable byte.
    end: Cell<usize>,
}

// SAFETY: `wasm32-unknown-unknown` without the threads proposal has one thread.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena that has handed out nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    /// Finds room for `size` bytes when the current region has none; 0 when the host refuses to grow the memory.
    #[cold]
    fn enlarge(&self, size: usize, align: usize) -> usize {
        let first = FIRST.0.as_ptr() as usize;
        if self.end.get() == 0 {
            self.next.set(first);
            self.end.set(first + RESERVE);
            let start = first.next_multiple_of(align);
            if size <= RESERVE && start <= first + RESERVE - size {
                self.next.set(start + size);
                return start;
            }
        }
        // Growing by at least what there is keeps the number of calls into the host logarithmic.
        let wanted = size.saturating_add(align).div_ceil(PAGE);
        let doubled = wanted.max(memory_size(0));
        let (old, pages) = match memory_grow(0, doubled) {
            usize::MAX => (memory_grow(0, wanted), wanted),
            old => (old, doubled),
        };
        if old == usize::MAX {
            return 0;
        }
        let start = (old * PAGE).next_multiple_of(align);
        self.next.set(start + size);
        // The very last byte of a 4 GiB memory would be address 2^32, which does not fit: give it away.
        self.end.set((old * PAGE).saturating_add(pages * PAGE));
        start
    }
}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every block lies in the reserve or in pages that this arena grew, is aligned as asked, and is handed out once:
// `next` only moves back over the block that was handed out last, in `dealloc` and `realloc`, when its owner ends or
// changes it.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let align = layout.align();
        let start = (self.next.get() + (align - 1)) & !(align - 1);
        match start.checked_add(layout.size()) {
            Some(behind) if behind <= self.end.get() => {
                self.next.set(behind);
                start as *mut u8
            }
            _ => self.enlarge(layout.size(), align) as *mut u8,
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block as usize;
        if start + layout.size() == self.next.get() {
            // The last block grows (and shrinks) where it is: a growing `Vec` or `String` is not copied.
            if let Some(behind) = start.checked_add(size).filter(|behind| *behind <= self.end.get()) {
                self.next.set(behind);
                return block;
            }
        } else if size <= layout.size() {
            return block;
        }
        // SAFETY: the new layout has the alignment of the old one and a size that the caller vouches for; the blocks do
        // not overlap, because the new one starts behind every block handed out before it.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
            }
            moved
        }
    }
}
