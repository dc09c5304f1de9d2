//! The traits of tokio for the ends of a pipe.

use shmkit::Pipe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::TestDir;
use super::futures::tokio_runtime;

#[test]
fn bytes_pass_through_a_pipe_as_they_were_written_until_its_end() {
    let dir = TestDir::new();
    let pipe = dir.with(Pipe::options()).capacity(4 << 10).create("pipe").unwrap();
    let (mut writer, mut reader) =
        (pipe.writer().unwrap().into_tokio(), pipe.reader().unwrap().into_tokio());
    let bytes: Vec<u8> =
        (0..300_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (expected, mut read) = (bytes.clone(), Vec::new());
    tokio_runtime().block_on(async {
        let writing = tokio::spawn(async move {
            writer.write_all(&bytes).await.unwrap();
            writer.shutdown().await.unwrap();
        });
        reader.read_to_end(&mut read).await.unwrap();
        writing.await.unwrap();
    });
    assert!(read == expected, "{} bytes", read.len());
    reader.into_inner().close();
}
