//! Sizes and times on a command line.

use std::time::Duration;

/// Parses a number of bytes: `100`, `4K` and `4KiB` (1,024), `4KB` (1,000), up to `T`; or `0x64`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).map_err(|_| expected(text));
    }
    let (digits, unit) = split(text);
    let number: u64 = digits.parse().map_err(|_| expected(text))?;
    let unit = unit.to_ascii_lowercase();
    let (letter, base) = match unit.as_str() {
        "" | "b" => return Ok(number),
        unit if unit.len() > 1 && unit.ends_with("ib") => (&unit[..unit.len() - 2], 1024),
        unit if unit.len() > 1 && unit.ends_with('b') => (&unit[..unit.len() - 1], 1000),
        unit => (unit, 1024_u64),
    };
    let power = ["k", "m", "g", "t"].iter().position(|it| *it == letter);
    let factor = base.pow(power.ok_or_else(|| expected(text))? as u32 + 1);
    number.checked_mul(factor).ok_or_else(|| format!("{text} does not fit in 64 bits"))
}

fn expected(text: &str) -> String {
    format!("\"{text}\" is not a size such as 100, 4K, 4KiB, 1M or 0x64")
}

/// Parses a time: `500us`, `10ms`, `1.5s`, `2m`; without a unit it is in seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("\"{text}\" is not a time such as 500us, 10ms, 1.5s, 2 (seconds) or 2m");
    let (digits, unit) = split(text);
    let number: f64 = digits.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return Err(expected()),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| expected())
}

/// Parses a time that is longer than 0.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period.is_zero() { Err("the time must be longer than 0".into()) } else { Ok(period) }
}

/// Splits a text into its number and its unit.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_units_are_parsed() {
        for (text, size) in [
            ("0", 0),
            ("100", 100),
            ("100B", 100),
            ("4K", 4096),
            ("4k", 4096),
            ("4KiB", 4096),
            ("4 KB", 4000),
            ("1M", 1 << 20),
            ("2GiB", 2 << 30),
            ("1T", 1 << 40),
            ("0x64", 100),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "K", "-1", "1.5K", "4X", "4iB", "1e3", "0x", "99999999999999999999"] {
            assert!(bytes(text).unwrap_err().contains("is not a size"), "{text}");
        }
        assert!(bytes("99999999999T").unwrap_err().contains("64 bits"));
    }

    #[test]
    fn times_with_units_are_parsed() {
        for (text, us) in [
            ("10ms", 10_000),
            ("1.5s", 1_500_000),
            ("500us", 500),
            ("2m", 120_000_000),
            ("2", 2_000_000),
            ("0.5", 500_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_micros(us)), "{text}");
        }
        for text in ["", "ms", "-1s", "1h30", "1..2s"] {
            assert!(duration(text).unwrap_err().contains("is not a time"), "{text}");
        }
        assert!(period("1ns").is_ok() && period("0s").is_err() && period("0.1ns").is_err());
    }
}
