//! `sysconf(_SC_PAGESIZE)`.

/// Returns the unit of mapping, a power of two.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}
