//! Shared memory in async code: `select!` over objects, timers and ctrl-c.
//!
//! A weather station sets the temperature (`Latest`), sends warnings (`Queue`), and writes a log
//! (`Pipe`, with tokio's `AsyncRead` and `AsyncWrite`). A watcher waits for all of them in one
//! task: a future that `select!` drops has taken nothing. This needs the feature `tokio` of shmkit;
//! `async` alone has the futures, for any runtime. In two terminals:
//!
//! ```sh
//! cargo run --example with_tokio -- watch        # until the station leaves, or ctrl-c
//! cargo run --example with_tokio -- measure 50   # 50 values, one each 100 ms
//! ```
//!
//! Kill the station: the watcher is told, and ends, since the log has ended. Kill the watcher: the
//! log has no reader any more, so the station ends with `BrokenPipe`.

use std::pin::pin;
use std::time::Duration;
use std::{env, error};

use shmkit::{ErrorKind, Latest, Pipe, Queue};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time;

struct Station {
    celsius: Latest<f64>,
    warnings: Queue<u32>,
    log: Pipe,
}

fn open() -> shmkit::Result<Station> {
    Ok(Station {
        celsius: Latest::open_or_create("example/station/celsius")?,
        warnings: Queue::open_or_create("example/station/warnings")?,
        log: Pipe::open_or_create("example/station/log")?,
    })
}

async fn measure(count: u32) -> Result<(), Box<dyn error::Error>> {
    let station = open()?;
    let (mut celsius, warnings) = (station.celsius.writer()?, station.warnings.sender()?);
    let mut log = station.log.writer()?.into_tokio();
    let mut clock = time::interval(Duration::from_millis(100));
    for number in 1..=count {
        clock.tick().await;
        celsius.set(&(20.0 + f64::from(number) / 10.0))?; // never waits
        log.write_all(format!("measured {number}\n").as_bytes()).await?;
        if number % 5 == 0 {
            warnings.send_async(&number).await?;
        }
    }
    Ok(())
}

async fn watch() -> Result<(), Box<dyn error::Error>> {
    let station = open()?;
    let (mut celsius, warnings) = (station.celsius.changes(), station.warnings.receiver()?);
    let mut log = BufReader::new(station.log.reader()?.into_tokio()).lines();
    // One future for all rounds: a ctrl-c between two of them would be lost.
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            value = celsius.next_async() => match value {
                Ok(value) => println!("{value} degrees"),
                Err(error) if error.kind() == ErrorKind::PeerDied => println!("{error}"),
                Err(error) => return Err(error.into()),
            },
            line = log.next_line() => match line {
                Ok(Some(line)) => println!("log: {line}"),
                Ok(None) => {
                    println!("the station has left");
                    return Ok(());
                }
                Err(error) => println!("{error}"), // it was killed: the end comes next
            },
            warning = warnings.recv_async() => println!("warning {}", *warning?),
            () = time::sleep(Duration::from_secs(1)) => println!("nothing for 1 s"),
            _ = &mut stop => {
                println!("stopped");
                return Ok(());
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let count = arguments.get(1).map_or(Ok(u32::MAX), |count| count.parse())?;
    match arguments.first().map(String::as_str) {
        Some("measure") => measure(count).await,
        Some("watch") => watch().await,
        _ => Err("which side? `measure [COUNT]` or `watch`".into()),
    }
}
