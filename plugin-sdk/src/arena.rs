//! The guest's allocator: a bump arena. A decoder's instance lives for one uplink, so memory is never given back, and
//! allocating costs an addition. A fresh decode takes half the time that it takes with the default allocator.
#![allow(unsafe_code, reason = "a global allocator hands out raw memory; every block states why it may")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

/// WebAssembly's unit of memory growth, bytes.
const PAGE: usize = 65_536;

/// What every instance has from the start, bytes: a usual decode never grows the memory, which would cost a system call
/// in the host. It is in `.bss`, so it takes no room in the module, and pages that nobody touches cost nothing.
const RESERVE: usize = PAGE;

/// Where an arena gets its memory from.
pub trait Source {
    /// Address and length of the memory that is there from the start.
    fn reserve(&self) -> (usize, usize);

    /// How many pages there are.
    fn pages(&self) -> usize;

    /// Adds pages and gives the address of the first; none if the host refuses.
    fn grow(&self, pages: usize) -> Option<usize>;
}

/// Bump allocator over the reserve first and grown pages after it.
pub struct Arena<S> {
    source: S,
    /// Address of the next free byte; 0 before the first allocation.
    next: Cell<usize>,
    /// Address behind the last usable byte.
    end: Cell<usize>,
}

impl<S: Source> Arena<S> {
    /// An arena that has handed out nothing.
    #[must_use]
    pub const fn new(source: S) -> Self {
        Self { source, next: Cell::new(0), end: Cell::new(0) }
    }

    /// The next block within the current region.
    #[inline]
    fn take(&self, layout: Layout) -> Option<usize> {
        let start = self.next.get().checked_next_multiple_of(layout.align())?;
        let behind = start.checked_add(layout.size()).filter(|behind| *behind <= self.end.get())?;
        self.next.set(behind);
        Some(start)
    }

    /// Opens another region, and takes the block there; none when the host refuses to grow the memory.
    #[cold]
    fn enlarge(&self, layout: Layout) -> Option<usize> {
        if self.end.get() == 0 {
            self.open(self.source.reserve());
            if let Some(start) = self.take(layout) {
                return Some(start);
            }
        }
        // Growing by as much as there is keeps the number of calls into the host logarithmic.
        let wanted = layout.size().checked_add(layout.align())?.div_ceil(PAGE);
        let generous = wanted.max(self.source.pages());
        let (first, pages) = match self.source.grow(generous) {
            Some(first) => (first, generous),
            None => (self.source.grow(wanted)?, wanted),
        };
        // The last byte of a memory of 4 GiB has no address behind it: it is given away.
        self.open((first, (pages * PAGE).min(usize::MAX - first)));
        self.take(layout)
    }

    fn open(&self, (address, length): (usize, usize)) {
        self.next.set(address);
        self.end.set(address + length);
    }
}

// SAFETY: every block lies in a region that the source gave to this arena, is aligned as asked, and is handed out once:
// `next` only moves back over the block that was handed out last, when its owner gives it back or changes its size.
unsafe impl<S: Source> GlobalAlloc for Arena<S> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.take(layout).or_else(|| self.enlarge(layout));
        start.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block.addr() + layout.size() == self.next.get() {
            self.next.set(block.addr());
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let start = block.addr();
        if start + layout.size() == self.next.get() {
            // The last block grows and shrinks where it is: a growing `Vec` or `String` is not copied.
            if let Some(behind) = start.checked_add(size).filter(|behind| *behind <= self.end.get()) {
                self.next.set(behind);
                return block;
            }
        } else if size <= layout.size() {
            return block;
        }
        // SAFETY: the alignment is that of a valid layout, and the caller vouches for the size. The blocks do not
        // overlap: the old one is still handed out, so the new one lies behind it or in another region.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
            }
            moved
        }
    }
}

/// The linear memory of a wasm32 guest.
#[cfg(target_arch = "wasm32")]
pub mod linear_memory {
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::UnsafeCell;

    use super::{Arena, PAGE, RESERVE, Source};

    #[repr(align(16))]
    struct Reserve(UnsafeCell<[u8; RESERVE]>);

    // SAFETY: `wasm32-unknown-unknown` without the threads proposal has one thread.
    unsafe impl Sync for Reserve {}

    static FIRST: Reserve = Reserve(UnsafeCell::new([0; RESERVE]));

    /// The memory of this instance.
    pub struct LinearMemory;

    impl Source for LinearMemory {
        fn reserve(&self) -> (usize, usize) {
            (FIRST.0.get().expose_provenance(), RESERVE)
        }

        fn pages(&self) -> usize {
            memory_size(0)
        }

        fn grow(&self, pages: usize) -> Option<usize> {
            let before = memory_grow(0, pages);
            (before != usize::MAX).then_some(before * PAGE)
        }
    }

    // SAFETY: `wasm32-unknown-unknown` without the threads proposal has one thread.
    unsafe impl Sync for Arena<LinearMemory> {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regions of the native heap, at most `limit` pages of them; never freed, as in a guest.
    struct Heap {
        pages: Cell<usize>,
        limit: usize,
    }

    impl Heap {
        fn region(length: usize) -> usize {
            Box::leak(vec![0_u128; length / 16].into_boxed_slice()).as_mut_ptr().expose_provenance()
        }
    }

    impl Source for Heap {
        fn reserve(&self) -> (usize, usize) {
            (Self::region(RESERVE), RESERVE)
        }

        fn pages(&self) -> usize {
            self.pages.get()
        }

        fn grow(&self, pages: usize) -> Option<usize> {
            let total = self.pages.get().checked_add(pages).filter(|total| *total <= self.limit)?;
            self.pages.set(total);
            Some(Self::region(pages * PAGE))
        }
    }

    fn arena(limit: usize) -> Arena<Heap> {
        Arena::new(Heap { pages: Cell::new(1), limit })
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::array::<u8>(size).and_then(|bytes| bytes.align_to(align)).unwrap_or(Layout::new::<u8>())
    }

    #[test]
    fn blocks_are_aligned_and_keep_what_is_written() {
        let arena = arena(1024);
        let mut blocks = Vec::new();
        for number in 0..4000_usize {
            let layout = layout(1 + number * 7 % 300, 1 << (number % 5));
            // SAFETY: the layout is not empty, and only the block's own bytes are written.
            let block = unsafe {
                let block = arena.alloc(layout);
                assert!(!block.is_null());
                block.write_bytes(number.to_le_bytes()[0], layout.size());
                block
            };
            assert!(block.addr().is_multiple_of(layout.align()));
            blocks.push((block, layout, number.to_le_bytes()[0]));
        }
        for (block, layout, byte) in blocks {
            // SAFETY: the block was written as a whole above, and was not given back.
            let bytes = unsafe { core::slice::from_raw_parts(block, layout.size()) };
            assert!(bytes.iter().all(|found| *found == byte), "another block wrote into this one");
        }
    }

    #[test]
    fn a_block_grows_in_place_or_moves_with_its_bytes() {
        let arena = arena(1024);
        // SAFETY: every layout is the one with which its block was handed out or resized last.
        unsafe {
            let first = arena.alloc(layout(8, 8));
            first.write_bytes(7, 8);
            assert_eq!(arena.realloc(first, layout(8, 8), 64), first, "the last block grows in place");
            let second = arena.alloc(layout(8, 8));
            assert_eq!(second.addr(), first.addr() + 64);
            assert_eq!(arena.realloc(first, layout(64, 8), 16), first, "a block shrinks in place");
            let moved = arena.realloc(first, layout(16, 8), 3 * PAGE);
            assert_ne!(moved, first);
            assert_eq!(core::slice::from_raw_parts(moved, 8), [7; 8]);
            let last = arena.alloc(layout(40, 4));
            arena.dealloc(last, layout(40, 4));
            assert_eq!(arena.alloc(layout(40, 4)), last, "the last block is used again");
        }
    }

    #[test]
    fn a_host_that_refuses_memory_is_a_null_pointer() {
        let arena = arena(4);
        // SAFETY: the layouts are not empty, and nothing is written.
        unsafe {
            assert!(!arena.alloc(layout(RESERVE, 1)).is_null(), "the reserve");
            assert!(!arena.alloc(layout(PAGE, 1)).is_null(), "two pages, for alignment");
            assert!(arena.alloc(layout(4 * PAGE, 1)).is_null());
            assert!(!arena.alloc(layout(16, 1)).is_null(), "a small block still fits");
            assert!(arena.alloc(layout(isize::MAX as usize / 2, 8)).is_null());
        }
    }
}
