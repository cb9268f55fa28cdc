//! Counters of the process. They are zero on systems without `/proc`.

/// Returns the peak resident memory in KiB.
pub fn peak_rss_kib() -> u64 {
    status("VmHWM:")
}

/// Returns the resident memory in KiB.
pub fn rss_kib() -> u64 {
    status("VmRSS:")
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Returns the bytes that this process has passed to the operating system for writing.
pub fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let field = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    field.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}
