//! Large buffers, in large pages where the system has them.
//!
//! A buffer that is written for the first time costs a fault for every page: at 4 KiB that is up to half of the time of
//! a step that streams through it.
#![allow(unsafe_code)] // one system call, which says how a buffer is to be backed

/// `len` zeros.
pub(crate) fn zeros<T: Copy + Default>(len: usize) -> Vec<T> {
    let zeros = vec![T::default(); len];
    prefer_large(&zeros);
    zeros
}

/// Asks for large pages behind a buffer. Whether the system has them changes nothing but time.
#[cfg(target_os = "linux")]
fn prefer_large<T>(buffer: &[T]) {
    /// Bytes of a page, a multiple of what any system here takes, and of a buffer that is worth the call.
    const PAGE: usize = 1 << 16;
    const LARGE: usize = 1 << 22;
    let bytes = buffer.as_ptr_range();
    let (start, end) = (bytes.start.addr().next_multiple_of(PAGE), bytes.end.addr() / PAGE * PAGE);
    if end >= start + LARGE {
        // SAFETY: the pages lie inside the buffer, and the advice leaves what is in them as it is. Where it is refused,
        // nothing has changed.
        unsafe { libc::madvise(bytes.start.with_addr(start).cast_mut().cast(), end - start, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn prefer_large<T>(_: &[T]) {}
