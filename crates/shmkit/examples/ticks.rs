//! Market ticks: many small messages, each to every subscriber, in order.
//!
//! The exchange publishes ticks in batches, and each trader receives all of them, in batches too.
//! By default a topic loses nothing: the exchange waits for the slowest trader. In two terminals,
//! or more:
//!
//! ```sh
//! cargo run --release --example ticks -- receive           # prints once a second what came
//! cargo run --release --example ticks -- send              # `send 1000000` ends after so many
//! cargo run --release --example ticks -- receive 1000000   # another trader, ends after so many
//! ```
//!
//! Kill a trader: the exchange no longer waits for it. Stop a trader (ctrl-z): the exchange waits,
//! since a process that is stopped is not dead. Kill the exchange: the traders receive what it had
//! published, and then they are told.

use std::time::{Duration, Instant};
use std::{env, error, thread};

use shmkit::{ErrorKind, Lifetime, Shareable, Topic};

#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Tick {
    instrument: u32,
    size: u32,
    price: f64,
}

fn ticks() -> shmkit::Result<Topic<Tick>> {
    let options = Topic::options().depth(4_096).lifetime(Lifetime::WhileUsed);
    options.open_or_create("example/ticks")
}

fn send(count: u64) -> shmkit::Result<()> {
    let ticks = ticks()?;
    let mut exchange = ticks.publisher()?;
    while exchange.subscribers()? == 0 {
        thread::sleep(Duration::from_millis(10)); // a message without a subscriber reaches nobody
    }
    let mut prices = [100.0; 8];
    let mut batch = Vec::with_capacity(64);
    for number in 0..count {
        let instrument = number as usize % prices.len();
        prices[instrument] += if number.count_ones() % 2 == 0 { 0.25 } else { -0.25 };
        let size = 1 + number as u32 % 100;
        batch.push(Tick { instrument: instrument as u32, size, price: prices[instrument] });
        if batch.len() == batch.capacity() || number + 1 == count {
            exchange.publish_all(&batch)?;
            batch.clear();
        }
    }
    println!("sent {count} ticks");
    Ok(())
}

fn receive(count: u64) -> shmkit::Result<()> {
    let second = Duration::from_secs(1);
    let ticks = ticks()?;
    let mut trader = ticks.subscriber()?;
    let (mut received, mut volume, mut batch) = (0, 0, Vec::new());
    let mut next_print = Instant::now();
    while received < count {
        let most = (count - received).min(1_024) as usize;
        match trader.recv_many_timeout(&mut batch, most, second) {
            Err(error) if error.kind() == ErrorKind::PeerDied => println!("{error}"),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            answer => _ = answer?,
        }
        let Some(Tick { instrument, price, .. }) = batch.last().copied() else { continue };
        received += batch.len() as u64;
        volume += batch.drain(..).map(|tick| u64::from(tick.size)).sum::<u64>();
        if received == count || Instant::now() >= next_print {
            println!("{received} ticks, volume {volume}, instrument {instrument} at {price}");
            next_print = Instant::now() + second;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let count = arguments.get(1).map_or(Ok(u64::MAX), |count| count.parse())?;
    match arguments.first().map(String::as_str) {
        Some("send") => Ok(send(count)?),
        Some("receive") => Ok(receive(count)?),
        _ => Err("which side? `send [COUNT]` or `receive [COUNT]`".into()),
    }
}
