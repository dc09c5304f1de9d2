//! Messages in streams: as lines of text or JSON, or as bytes.

use std::io::{self, BufRead, Read, Write};
use std::mem;

use anyhow::Context;
use serde_json::{Map, Value as Json, json};
use shmkit::shareable::Schema;
use shmkit::shareable::schema::Shape;

use crate::exit::Failure;
use crate::{output, value};

/// The form of messages in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line each.
    Text,
    /// A line of JSON each.
    Json,
    /// Bytes, one message after the other.
    Raw,
    /// Bytes: all of them are one message.
    Whole,
}

/// The arguments that choose the form of printed messages.
#[derive(Debug, clap::Args)]
pub(crate) struct OutputForm {
    /// Print a JSON object in each line
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Print only the bytes of messages, one after the other
    #[arg(long)]
    raw: bool,
}

impl OutputForm {
    pub(crate) fn form(&self) -> Form {
        match (self.json, self.raw) {
            (true, _) => Form::Json,
            (_, true) => Form::Raw,
            _ => Form::Text,
        }
    }
}

/// The arguments that choose where messages come from, and in which form.
#[derive(Debug, clap::Args)]
pub(crate) struct InputForm {
    /// Take these messages instead of the lines of standard input
    ///
    /// A message has the form that `shm get` prints, or that of `shm get --json`: 7.25, Fast,
    /// Pose { x: 1.0, y: 2.0 }, {"x": 1.0, "y": 2.0}. If messages are bytes, a line is a message
    /// as it is.
    #[arg(value_name = "MESSAGE", conflicts_with_all = ["raw", "whole"])]
    #[arg(allow_negative_numbers = true)]
    messages: Vec<String>,
    /// Take each line as JSON, also if messages are bytes: a text, or a list of numbers
    #[arg(long, conflicts_with_all = ["raw", "whole"])]
    json: bool,
    /// Cut standard input into messages of the largest size; the last one can be shorter
    #[arg(long, conflicts_with = "whole")]
    raw: bool,
    /// Take all of standard input as the bytes of one message
    #[arg(long)]
    whole: bool,
}

impl InputForm {
    /// Opens the stream of messages.
    pub(crate) fn open<'a>(&'a self, of: &'a MessageType) -> Input<'a> {
        let form = match (self.json, self.raw, self.whole) {
            (true, ..) => Form::Json,
            (_, true, _) => Form::Raw,
            (.., true) => Form::Whole,
            _ => Form::Text,
        };
        Input::new(form, of, &self.messages)
    }
}

/// The type of messages: a value, or a list of values with a length of its own.
pub(crate) struct MessageType {
    item: Schema,
    max_len: Option<u64>,
    /// For lists of other items than bytes: a type with room for the longest one.
    list: Option<Schema>,
}

/// In a `list`, where its length is.
const LENGTH_BYTES: usize = 8;

impl MessageType {
    /// Messages of this type; or lists of up to `max_len` items of this type.
    pub(crate) fn new(item: &Schema, max_len: Option<u64>) -> shmkit::Result<Self> {
        let is_byte = matches!(item.shape(), Shape::Scalar(scalar) if scalar.name() == "u8");
        let list = match max_len {
            Some(len) if !is_byte => Some(Schema::parse(&format!("list<{item},{len}>"))?),
            _ => None,
        };
        Ok(Self { item: item.clone(), max_len, list })
    }

    /// Whether messages are any bytes.
    pub(crate) fn is_bytes(&self) -> bool {
        self.max_len.is_some() && self.list.is_none()
    }

    /// The most bytes of a message.
    pub(crate) fn largest(&self) -> u64 {
        self.item.size().saturating_mul(self.max_len.unwrap_or(1))
    }

    /// Parses a message from a line.
    pub(crate) fn parse(&self, line: &[u8], form: Form) -> anyhow::Result<Vec<u8>> {
        if self.is_bytes() {
            return if form == Form::Json { bytes_of_json(line) } else { Ok(line.to_vec()) };
        }
        let text = std::str::from_utf8(line).context("it is not UTF-8")?;
        let Some(list) = &self.list else {
            let mut bytes = vec![0; self.item.size() as usize];
            self.item.set(&mut bytes, "", text)?;
            return Ok(bytes);
        };
        let mut bytes = vec![0; list.size() as usize];
        list.set(&mut bytes, "", text)?;
        let length = u64::from_le_bytes(bytes[..LENGTH_BYTES].try_into()?);
        bytes.truncate(self.items_at() + (length * self.item.size()) as usize);
        bytes.drain(..self.items_at());
        Ok(bytes)
    }

    /// In a `list`, where its items are.
    fn items_at(&self) -> usize {
        LENGTH_BYTES.next_multiple_of(self.item.align() as usize)
    }

    /// Calls `with` with the value that these bytes are, if it is not just bytes.
    fn read<R>(
        &self,
        message: &[u8],
        with: impl FnOnce(&shmkit::shareable::Value<'_>) -> R,
    ) -> shmkit::Result<R> {
        let Some(list) = &self.list else { return Ok(with(&self.item.read(message)?)) };
        let mut bytes = vec![0; list.size() as usize];
        let items = self.items_at();
        bytes[..LENGTH_BYTES]
            .copy_from_slice(&(message.len() as u64 / self.item.size()).to_le_bytes());
        bytes[items..items + message.len()].copy_from_slice(message);
        Ok(with(&list.read(&bytes)?))
    }

    /// Returns the message as a line, without its end.
    pub(crate) fn line(&self, message: &[u8]) -> shmkit::Result<Vec<u8>> {
        match self.is_bytes() {
            true if output::is_terminal() => {
                let text = String::from_utf8_lossy(message);
                Ok(output::escaped(&text, |letter| letter == '\t').into_bytes())
            }
            true => Ok(message.to_vec()),
            false => self.read(message, |value| value::one_line(value).into_bytes()),
        }
    }

    /// Returns the message as JSON: bytes as text if they are UTF-8, else as numbers.
    pub(crate) fn json(&self, message: &[u8]) -> shmkit::Result<Json> {
        match self.is_bytes() {
            true => {
                Ok(std::str::from_utf8(message).map_or_else(|_| json!(message), |it| json!(it)))
            }
            false => self.read(message, value::json),
        }
    }
}

/// Returns the bytes that a line of JSON says: those of a text, or numbers.
fn bytes_of_json(line: &[u8]) -> anyhow::Result<Vec<u8>> {
    match serde_json::from_slice(line).context("it is not JSON")? {
        Json::String(text) => Ok(text.into_bytes()),
        Json::Array(numbers) => {
            let byte = |number: &Json| number.as_u64().and_then(|it| u8::try_from(it).ok());
            let bytes: Option<Vec<_>> = numbers.iter().map(byte).collect();
            bytes.context("it has numbers that are not from 0 to 255")
        }
        _ => anyhow::bail!("it is neither a text nor a list of numbers"),
    }
}

/// Messages from a command line, or from a stream.
pub(crate) struct Input<'a> {
    form: Form,
    of: &'a MessageType,
    given: std::slice::Iter<'a, String>,
    stream: Option<Stream<'a>>,
    lines: u64,
    room: Vec<u8>,
}

/// A stream, and what it is called in messages.
type Stream<'a> = (Box<dyn BufRead + 'a>, &'static str);

impl<'a> Input<'a> {
    /// The given messages, or those from standard input if none is given.
    pub(crate) fn new(form: Form, of: &'a MessageType, given: &'a [String]) -> Self {
        let stdin = || (Box::new(io::stdin().lock()) as Box<dyn BufRead>, "standard input");
        let stream = given.is_empty().then(stdin);
        Self { form, of, given: given.iter(), stream, lines: 0, room: Vec::new() }
    }

    /// Messages from a stream.
    pub(crate) fn of_stream(form: Form, of: &'a MessageType, stream: Stream<'a>) -> Self {
        let stream = Some(stream);
        Self { form, of, given: [].iter(), stream, lines: 0, room: Vec::new() }
    }

    /// Returns the next message. None at the end.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let refused = |what: String| {
            move |error: anyhow::Error| Failure::Usage(format!("{what}: {error:#}")).into()
        };
        let Some((stream, called)) = &mut self.stream else {
            let Some(text) = self.given.next() else { return Ok(None) };
            let parsed = self.of.parse(text.as_bytes(), self.form);
            return parsed.map(Some).map_err(refused(format!("cannot use {text:?}")));
        };
        if matches!(self.form, Form::Raw | Form::Whole) {
            return self.next_bytes();
        }
        loop {
            self.room.clear();
            let count = stream.read_until(b'\n', &mut self.room);
            let count = count.with_context(|| format!("cannot read {called}"))?;
            if count == 0 {
                return Ok(None);
            }
            self.lines += 1;
            let line = self.room.strip_suffix(b"\n").unwrap_or(&self.room);
            // An empty message is one of no bytes only.
            if line.trim_ascii().is_empty() && !(self.of.is_bytes() && self.form == Form::Text) {
                continue;
            }
            let what = format!("cannot use line {} of {called}", self.lines);
            return self.of.parse(line, self.form).map(Some).map_err(refused(what));
        }
    }

    /// Returns the next bytes as a message: as many as it can have, or all.
    fn next_bytes(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some((stream, called)) = &mut self.stream else { return Ok(None) };
        let largest = self.of.largest();
        let mut message = mem::take(&mut self.room);
        message.clear();
        let all = self.form == Form::Whole;
        // One more, to see whether it is too long.
        let most = if all { largest.saturating_add(1) } else { largest };
        let read = stream.take(most).read_to_end(&mut message);
        read.with_context(|| format!("cannot read {called}"))?;
        let (count, item) = (message.len() as u64, self.of.item.size());
        let is_whole = if self.of.max_len.is_some() {
            count <= largest && count.is_multiple_of(item)
        } else {
            count == item
        };
        if count == 0 && (!all || mem::replace(&mut self.lines, 1) > 0 || !self.of.is_bytes()) {
            return Ok(None);
        }
        if !is_whole {
            let ends = if all { "is" } else { "ends with" };
            let more = if count > largest { "more than " } else { "" };
            let count = count.min(largest);
            let why = match self.of.max_len {
                Some(_) => format!("a message has whole items of {item} B, up to {largest} B"),
                None => format!("a message has {item} B"),
            };
            let why = format!("{called} {ends} {more}{count} B, but {why}");
            return Err(Failure::Usage(why).into());
        }
        self.lines = 1;
        Ok(Some(message))
    }
}

/// Messages on standard output.
pub(crate) struct Output<'a> {
    form: Form,
    of: &'a MessageType,
    stdout: Box<dyn Write>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(form: Form, of: &'a MessageType) -> Self {
        Self { form, of, stdout: output::stdout() }
    }

    /// Prints a message, with `facts` about it if the form is JSON. [`flush`](Self::flush) follows.
    pub(crate) fn print(&mut self, message: &[u8], facts: &[(&str, Json)]) -> anyhow::Result<()> {
        let line = encoded(self.form, self.of, message, facts)?;
        Ok(self.stdout.write_all(&line)?)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// Returns a message in a form, with the end of its line.
pub(crate) fn encoded(
    form: Form,
    of: &MessageType,
    message: &[u8],
    facts: &[(&str, Json)],
) -> anyhow::Result<Vec<u8>> {
    let mut line = match form {
        Form::Raw | Form::Whole => return Ok(message.to_vec()),
        Form::Text => of.line(message)?,
        Form::Json => {
            let facts = facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone()));
            let mut report: Map<String, Json> = facts.collect();
            report.insert("value".into(), of.json(message)?);
            serde_json::to_vec(&report)?
        }
    };
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(item: &str, max_len: Option<u64>) -> MessageType {
        MessageType::new(&Schema::declare(item).unwrap(), max_len).unwrap()
    }

    #[test]
    fn a_message_is_parsed_from_the_line_that_it_is_printed_as() {
        let pose = "Pose { x: f64, mode: Mode(u8) { Off, On } }";
        for (item, max_len, line, json) in [
            ("u32", None, "7", "7"),
            (pose, None, "Pose { x: 1.5, mode: On }", r#"{"x":1.5,"mode":"On"}"#),
            ("f32", Some(4), "[1.5, -2.0]", "[1.5,-2.0]"),
            ("f32", Some(4), "[]", "[]"),
            ("u128", Some(2), "[1, 2]", "[1,2]"),
            (pose, Some(2), "[Pose { x: 1.0, mode: Off }]", r#"[{"x":1.0,"mode":"Off"}]"#),
            ("u8", Some(10), " a line ", r#"" a line ""#),
        ] {
            let of = of(item, max_len);
            let message = of.parse(line.as_bytes(), Form::Text).unwrap();
            assert_eq!(of.line(&message).unwrap(), line.as_bytes(), "{item}");
            assert_eq!(of.json(&message).unwrap().to_string(), json, "{item}");
            assert_eq!(of.parse(json.as_bytes(), Form::Json).unwrap(), message, "{item}: {json}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_numbers_in_json() {
        let bytes = of("u8", Some(4));
        assert_eq!(bytes.json(&[1, 255]).unwrap().to_string(), "[1,255]");
        assert_eq!(bytes.parse(b"[1, 255]", Form::Json).unwrap(), [1, 255]);
        assert_eq!(bytes.parse(b"[1, 255]", Form::Text).unwrap(), b"[1, 255]");
        for refused in ["[256]", "7", "{", "[-1]"] {
            assert!(bytes.parse(refused.as_bytes(), Form::Json).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_line_that_is_no_message_is_refused_with_the_reason() {
        let error = of("u8", None).parse(b"300", Form::Text).unwrap_err();
        assert!(error.to_string().contains("300"), "{error}");
        let error = of("u16", Some(2)).parse(b"[1, 2, 3]", Form::Text).unwrap_err();
        assert!(error.to_string().contains('2'), "{error}");
        assert!(of("u16", None).parse(b"\xff", Form::Text).is_err());
    }
}
