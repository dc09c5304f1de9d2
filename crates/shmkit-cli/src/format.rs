//! Numbers and times in a form that people read.

use std::time::{Duration, SystemTime};

/// Returns a number of bytes: `100 B`, `8 KiB`, `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut unit) = (bytes as f64, "B");
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    let decimals = usize::from(size < 10.0 && size.fract() >= 0.05);
    format!("{size:.decimals$} {unit}")
}

/// Returns the time that has passed: `5s`, `2m`, `3h`, `12d`.
pub(crate) fn age(since: SystemTime) -> String {
    let seconds = since.elapsed().unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// Returns a number per second: `0/s`, `2.5/s`, `100/s`, `12M/s`.
pub(crate) fn rate(per_second: f64) -> String {
    let (number, unit) = match per_second {
        1e9.. => (per_second / 1e9, "G"),
        1e6.. => (per_second / 1e6, "M"),
        1e4.. => (per_second / 1e3, "k"),
        _ => (per_second, ""),
    };
    let decimals = usize::from(number < 9.95 && (number * 10.0).round() % 10.0 != 0.0);
    format!("{number:.decimals$}{unit}/s")
}

/// Returns a number in groups of three digits: `20,118,332`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns a duration: `54 us`, `1.2 ms`, `3.0 s`.
pub(crate) fn duration(time: Duration) -> String {
    let ns = time.as_nanos() as f64;
    let (number, unit) = match ns {
        1e9.. => (ns / 1e9, "s"),
        1e6.. => (ns / 1e6, "ms"),
        1e3.. => (ns / 1e3, "us"),
        _ => (ns, "ns"),
    };
    let decimals = usize::from(number < 10.0 && unit != "ns");
    format!("{number:.decimals$} {unit}")
}

/// Returns a time in UTC, in milliseconds: `2026-11-23T12:55:22.123Z`.
pub(crate) fn timestamp(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => "out of range".into(),
    }
}

/// Returns a time in UTC, in microseconds: `2026-11-23T12:55:22.123456Z`.
pub(crate) fn exact_timestamp(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("{time:.6}"),
        Err(_) => "out of range".into(),
    }
}

/// The longest type in a table.
const LONGEST_TYPE: usize = 60;

/// Returns the type, or its beginning if it is long.
pub(crate) fn short(type_name: String) -> String {
    match type_name.char_indices().nth(LONGEST_TYPE) {
        Some(_) => type_name.chars().take(LONGEST_TYPE - 3).chain("...".chars()).collect(),
        None => type_name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        let sizes = [0, 100, 8192, 1 << 20, 1_572_864, 11 << 30, u64::MAX].map(bytes);
        let shown = ["0 B", "100 B", "8 KiB", "1 MiB", "1.5 MiB", "11 GiB", "16384 PiB"];
        assert_eq!(sizes, shown);
        let rates = [0.0, 2.5, 100.2, 99.96, 9999.0, 12_345.0, 1_234_567.0].map(rate);
        assert_eq!(rates, ["0/s", "2.5/s", "100/s", "100/s", "9999/s", "12k/s", "1.2M/s"]);
        assert_eq!([7, 999, 1000, 20_118_332].map(count), ["7", "999", "1,000", "20,118,332"]);
        let times = [999, 54_321, 1_230_000, 3_000_000_000].map(Duration::from_nanos);
        assert_eq!(times.map(duration), ["999 ns", "54 us", "1.2 ms", "3.0 s"]);
        let ago = [5, 125, 7300, 900_000].map(|it| SystemTime::now() - Duration::from_secs(it));
        assert_eq!(ago.map(age), ["5s", "2m", "2h", "10d"]);
        assert_eq!(age(SystemTime::now() + Duration::from_secs(5)), "0s");
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_410_000_123);
        assert_eq!(timestamp(time), "2026-11-23T05:00:00.123Z");
    }

    #[test]
    fn a_long_type_is_cut() {
        assert_eq!(short("x".repeat(60)), "x".repeat(60));
        assert_eq!(short("\u{e4}".repeat(61)), format!("{}...", "\u{e4}".repeat(57)));
    }
}
