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

/// Returns the processor time of the child processes that have ended, in seconds.
pub fn children_cpu_s() -> f64 {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may contain spaces. User and system time are fields 16 and 17.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(13).take(2);
    let ticks = times.filter_map(|time| time.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_S
}
