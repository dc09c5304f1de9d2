//! Bytes as hexadecimal digits, and back.

use std::fmt::Write;

/// The number of bytes in a line of the table.
pub(super) const ROW: usize = 16;

/// Returns the digits of bytes: `01ff`.
pub(super) fn digits(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Parses digits: `01ff`, `01 FF`, `0x01ff`, `01:ff`.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<char> =
        text.chars().filter(|it| !it.is_whitespace() && !matches!(it, ':' | '_' | ',')).collect();
    if digits.len() % 2 == 1 {
        return Err(format!("{} hexadecimal digits: each byte needs two", digits.len()));
    }
    let value = |digit: char| {
        digit.to_digit(16).ok_or_else(|| format!("{digit:?} is not a hexadecimal digit"))
    };
    digits.chunks(2).map(|pair| Ok((value(pair[0])? * 16 + value(pair[1])?) as u8)).collect()
}

/// Returns a line of the table: `00000010  01 02 ...  |..|`, with `faint` around what matters less.
pub(super) fn row(offset: u64, bytes: &[u8], faint: (&str, &str)) -> String {
    let (start, end) = faint;
    let mut row = format!("{start}{offset:08x}{end} ");
    for at in 0..ROW {
        row.push_str(if at % 8 == 0 { " " } else { "" });
        match bytes.get(at) {
            Some(byte) => _ = write!(row, "{byte:02x} "),
            None => row.push_str("   "),
        }
    }
    let printable = |byte: &u8| if matches!(byte, b' '..=b'~') { *byte as char } else { '.' };
    let text: String = bytes.iter().map(printable).collect();
    _ = write!(row, " {start}|{end}{text}{start}|{end}");
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_parsed_and_printed() {
        for text in ["01ff", "01 FF", "0x01ff", "01:ff", "0 1 f f"] {
            assert_eq!(bytes(text), Ok(vec![1, 255]), "{text}");
        }
        assert_eq!((bytes(""), digits(&[1, 255])), (Ok(vec![]), "01ff".to_owned()));
        assert_eq!(bytes("123"), Err("3 hexadecimal digits: each byte needs two".to_owned()));
        assert_eq!(bytes("1g"), Err("'g' is not a hexadecimal digit".to_owned()));
    }

    #[test]
    fn a_row_shows_offset_bytes_and_text() {
        let full = row(0x10, b"0123456789abcde\n", ("", ""));
        let expected =
            "00000010  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 0a  |0123456789abcde.|";
        assert_eq!(full, expected);
        let short = row(0, &[1], ("", ""));
        assert_eq!(short.len(), full.len() - 15);
        assert!(short.ends_with(" |.|"));
    }
}
