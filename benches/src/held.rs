//! An allocator that counts what chosen threads hold: resident memory would tell of pages that were freed and not
//! returned.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicIsize, Ordering::Relaxed},
};

/// The system's allocator, with a count. A program takes it with `#[global_allocator]`.
pub struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// From now on, what this thread takes and gives back counts.
pub fn count_this_thread() {
    COUNTED.set(true);
}

/// Bytes that are held now.
pub fn held() -> isize {
    HELD.load(Relaxed)
}

/// The most that was held at once since the last call.
pub fn peak() -> isize {
    PEAK.swap(HELD.load(Relaxed), Relaxed)
}

fn note(bytes: isize) {
    if COUNTED.try_with(Cell::get).unwrap_or(false) {
        let now = HELD.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(now, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size as isize - layout.size() as isize);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}
