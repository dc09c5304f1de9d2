//! A dashboard that waits for everything at once, in one thread.
//!
//! A car has a speed (`Latest`), a log for everyone (`Topic`), alarms, each for one dashboard
//! (`Queue`), a console (`Pipe`), a horn (`Semaphore`), and an end of the journey (`Event`). The
//! dashboard puts a handle of each into a `WaitSet`, sleeps until some of them are ready, and
//! prints what they have. In two terminals:
//!
//! ```sh
//! cargo run --example dashboard -- show       # sleeps while nothing happens
//! cargo run --example dashboard -- drive 50   # 50 steps of 100 ms; then both end
//! ```
//!
//! Kill the car: the dashboard is told of each role that it had, and shows the next car. Kill the
//! dashboard: the car drives on, and the alarms wait for the next dashboard.

use std::io::{self, Write};
use std::time::Duration;
use std::{env, error, thread};

use shmkit::sync::{Reset, named};
use shmkit::{ErrorKind, FixedString, Latest, Pipe, Queue, Topic, WaitSet};

type Text = FixedString<80>;

struct Car {
    speed: Latest<f64>,
    log: Topic<Text>,
    alarms: Queue<Text>,
    console: Pipe,
    horn: named::Semaphore,
    parked: named::Event,
}

fn open() -> shmkit::Result<Car> {
    Ok(Car {
        speed: Latest::open_or_create("example/car/speed")?,
        log: Topic::open_or_create("example/car/log")?,
        alarms: Queue::open_or_create("example/car/alarms")?,
        console: Pipe::open_or_create("example/car/console")?,
        horn: named::Semaphore::open_or_create("example/car/horn", 0)?,
        parked: named::Event::open_or_create("example/car/parked", Reset::Automatic)?,
    })
}

#[derive(Clone, PartialEq)]
enum News {
    Speed,
    Log,
    Alarm,
    Console,
    Horn,
    Parked,
}

fn show() -> shmkit::Result<()> {
    let car = open()?;
    let (mut speeds, mut log) = (car.speed.changes(), car.log.subscriber()?);
    let (alarms, mut console) = (car.alarms.receiver()?, car.console.reader()?);
    let set = WaitSet::new();
    set.add(News::Speed, &speeds)?;
    set.add(News::Log, &log)?;
    set.add(News::Alarm, &alarms)?;
    set.add(News::Console, &console)?;
    set.add(News::Horn, &car.horn)?;
    set.add(News::Parked, &car.parked)?;

    let mut bytes = [0; 1_024];
    // Takes one thing of what is ready, if no other process was faster.
    let mut take = |news: &News| -> shmkit::Result<Option<String>> {
        Ok(match news {
            News::Speed => speeds.try_next()?.map(|speed| format!("speed: {speed}")),
            News::Log => log.try_recv()?.map(|line| format!("log: {line}")),
            News::Alarm => alarms.try_recv()?.map(|alarm| format!("alarm: {}", *alarm)),
            News::Console => match console.try_read(&mut bytes)? {
                Some(0) => {
                    // At the end, a reader stays ready. A new one waits for the next writer.
                    set.remove(&News::Console);
                    console = car.console.reader()?;
                    set.add(News::Console, &console)?;
                    Some("console: end".into())
                }
                count => count.map(|count| {
                    format!("console: {}", String::from_utf8_lossy(&bytes[..count]).trim_end())
                }),
            },
            News::Horn => car.horn.try_consume()?.then(|| "horn".into()),
            News::Parked => car.parked.try_wait()?.then(|| "parked".into()),
        })
    };
    loop {
        for news in set.wait()? {
            match take(&news) {
                Ok(Some(text)) => println!("{text}"),
                Ok(None) => continue,
                Err(error) if error.kind() == ErrorKind::PeerDied => println!("{error}"),
                Err(error) => return Err(error),
            }
            if news == News::Parked {
                return Ok(());
            }
        }
    }
}

fn drive(steps: u32) -> Result<(), Box<dyn error::Error>> {
    let car = open()?;
    let (mut speed, mut log) = (car.speed.writer()?, car.log.publisher()?);
    let (alarms, mut console) = (car.alarms.sender()?, car.console.writer()?);
    for step in 1..=steps {
        speed.set(&f64::from(step % 120))?;
        let line = format!("step {step}\n"); // `writeln!` would make several writes of it
        match console.write_all(line.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {} // there is no dashboard
            written => written?,
        }
        match step % 5 {
            0 => _ = log.publish(&format!("{step} steps driven").parse()?)?,
            1 => alarms.send(&format!("door open at step {step}").parse()?)?,
            2 => _ = car.horn.post(1)?,
            _ => {}
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(car.parked.set()?)
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let steps = arguments.get(1).map_or(Ok(u32::MAX), |steps| steps.parse())?;
    match arguments.first().map(String::as_str) {
        Some("show") => Ok(show()?),
        Some("drive") => drive(steps),
        _ => Err("which side? `show` or `drive [STEPS]`".into()),
    }
}
