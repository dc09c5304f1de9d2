//! Sides that send bytes: in a stream, or in records that keep their boundaries.

use std::io::{self, Read, Write};

use super::payload::{self, WORD, bytes, bytes_mut};
use super::side::Side;

/// Messages one after the other in two streams of bytes. Each message is one write.
pub(super) struct Stream<R, W> {
    reader: R,
    writer: W,
    words: Vec<u64>,
}

impl<R: Read, W: Write> Stream<R, W> {
    pub(super) fn new(reader: R, writer: W, size: usize) -> Self {
        Self { reader, writer, words: vec![0; size / WORD] }
    }
}

impl<R: Read, W: Write> Side for Stream<R, W> {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut self.words, number);
        Ok(self.writer.write_all(bytes(&self.words))?)
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        self.reader.read_exact(bytes_mut(&mut self.words))?;
        Ok(payload::number(&self.words))
    }
}

/// Messages as records: one call reads one message.
pub(super) struct Records<R, W> {
    reader: R,
    writer: W,
    words: Vec<u64>,
}

impl<R: Read, W: Write> Records<R, W> {
    pub(super) fn new(reader: R, writer: W, size: usize) -> Self {
        Self { reader, writer, words: vec![0; size / WORD] }
    }
}

impl<R: Read, W: Write> Side for Records<R, W> {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        payload::fill(&mut self.words, number);
        let written = self.writer.write(bytes(&self.words))?;
        whole(written, size_of_val(&*self.words))
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        let read = self.reader.read(bytes_mut(&mut self.words))?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        whole(read, size_of_val(&*self.words))?;
        Ok(payload::number(&self.words))
    }
}

fn whole(bytes: usize, size: usize) -> anyhow::Result<()> {
    anyhow::ensure!(bytes == size, "{bytes} bytes of a message of {size} bytes were passed on");
    Ok(())
}
