//! What is measured: the same work by shmkit and by each peer, alternately.
//!
//! ```text
//! shmkit - peer - shmkit - peer - ...
//! ```
//!
//! In a case `peer / shmkit` the floor is shmkit, so the ratio is above 1 where shmkit is faster.

use std::cell::Cell;
use std::hint::black_box;
use std::io;

use crate::fan::{self, Fan, Publishing};
use crate::floors::{self, Ring};
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::samples::Samples;
use crate::harness::sizes::{Value, rounds};
use crate::harness::workers::{Harness, Workers};
use crate::link::{BARE, Ends, FLOW, HEAD_WORDS, Lends, Peer, Place};
use crate::peers::{
    Cloudtoid, Crossbar, Iceoryx, IceoryxEvents, IpcChannel, LARGE, Rtrb, Shaq, Shmkit,
};

/// The words of a message of 64 bytes, and of one of 64 KiB.
const SMALL: usize = HEAD_WORDS;
const MIDDLE: usize = 8_192;

const AVAILABLE: &str = "a workload of this program is always available";
const TWO: (&str, usize) = ("two cores", 1);
const ONE: (&str, usize) = ("one core", 0);

/// A link of one peer: this process's ends, and the worker that has the other ones.
struct Link<'a, const N: usize, E> {
    worker: Workers<'a>,
    ends: E,
    message: Box<Value<N>>,
}

/// What is done with a link.
#[derive(Clone, Copy)]
enum Work {
    RoundTrip,
    OneWay,
    Asleep,
}

/// Where the links of a case are, and what is done with them.
#[derive(Clone, Copy)]
struct Case<'a> {
    harness: &'a Harness,
    work: Work,
    /// What the names of the cases end with.
    label: &'a str,
    /// The processor of the worker. This process is on processor 0.
    cpu: usize,
}

impl<'a> Case<'a> {
    fn place(&self, bytes: usize) -> Place<'a> {
        let asleep = matches!(self.work, Work::Asleep);
        Place { directory: self.harness.arena.directory(), bytes, asleep }
    }

    /// Starts a worker of `workload`, which is at `station`.
    fn start<const N: usize, E: Ends<N>>(&self, station: usize, workload: &str) -> Link<'a, N, E> {
        let place = self.place(N * 8);
        let begun = E::begin(&place);
        let cpus = &[self.cpu];
        let worker = Workers::start(self.harness, station, workload, place.argument(), cpus);
        let worker = worker.expect(AVAILABLE);
        Link { worker, ends: E::finish(begun, &place), message: Value::boxed() }
    }

    fn unit(&self) -> &'static str {
        if matches!(self.work, Work::Asleep) { "us" } else { "ns" }
    }

    /// Returns how many messages a sample has.
    fn rounds(&self, bytes: usize) -> u64 {
        match self.work {
            Work::RoundTrip => rounds(bytes, 200.0, 0.3),
            Work::OneWay => 20 * rounds(bytes, 200.0, 0.5),
            Work::Asleep => 500,
        }
    }

    /// Converts nanoseconds to the unit.
    fn in_unit(&self, ns: f64) -> f64 {
        if matches!(self.work, Work::Asleep) { ns / 1_000.0 } else { ns }
    }
}

impl<const N: usize, E: Ends<N>> Link<'_, N, E> {
    fn time(&mut self, case: &Case<'_>) -> f64 {
        let Self { worker, ends, message } = self;
        let rounds = case.rounds(N * 8);
        let ns = match case.work {
            Work::OneWay => {
                message[0] = 0;
                worker.time_with(FLOW, rounds, || {
                    for _ in 0..rounds {
                        let last = message[0];
                        ends.receive(black_box(message));
                        let next = message[0];
                        assert!(last == 0 || next == last + 1, "{next} after {last}: lost");
                    }
                })
            }
            Work::RoundTrip | Work::Asleep => worker.time_with(RUN, rounds, || {
                for _ in 0..rounds {
                    message[0] += 1;
                    let sent = message[0];
                    ends.send(black_box(message));
                    ends.receive(black_box(message));
                    assert_eq!(message[0], sent, "another message came back");
                }
            }),
        };
        case.in_unit(ns)
    }
}

type Ours<'a, const N: usize> = Link<'a, N, <Shmkit as Peer>::Ends<N>>;

/// Measures a peer beside shmkit.
type Beside<const N: usize> =
    for<'a> fn(&Case<'a>, &str, &mut Ours<'a, N>, &mut Report) -> io::Result<()>;

fn beside<'a, const N: usize, P: Peer>(
    case: &Case<'a>,
    name: &str,
    ours: &mut Ours<'a, N>,
    report: &mut Report,
) -> io::Result<()> {
    let title = format!("{name} / shmkit{}", case.label);
    if !case.harness.wants(&title) {
        return Ok(());
    }
    let mut peer = case.start::<N, P::Ends<N>>(1, &format!("echo/{name}"));
    let samples = Samples::beside(|| ours.time(case), || peer.time(case));
    report.tell(&title, N * 8, case.unit(), &samples)
}

/// Measures Boost beside shmkit. Both ends of it are workers.
fn boost_beside<const N: usize>(
    case: &Case<'_>,
    ours: &mut Ours<'_, N>,
    report: &mut Report,
) -> io::Result<()> {
    let title = format!("Boost / shmkit{}", case.label);
    if !case.harness.wants(&title) {
        return Ok(());
    }
    let workload = if matches!(case.work, Work::OneWay) { "flow/boost" } else { "exchange/boost" };
    let (argument, cpus) = (case.place(N * 8).argument(), [0, case.cpu]);
    let boost = Workers::start(case.harness, 1, workload, argument, &cpus);
    let Some(boost) = boost else { return Ok(()) };
    let rounds = case.rounds(N * 8);
    let theirs = || case.in_unit(boost.time(rounds));
    let samples = Samples::beside(|| ours.time(case), theirs);
    report.tell(&title, N * 8, case.unit(), &samples)
}

/// Measures all peers beside shmkit, and shmkit beside its floor.
fn compare<const N: usize>(
    case: &Case<'_>,
    floor: &str,
    time_floor: impl Fn(&Workers<'_>, &mut Value<N>) -> f64,
    peers: &[(&str, Beside<N>)],
    report: &mut Report,
) -> io::Result<()> {
    let mut ours = case.start::<N, <Shmkit as Peer>::Ends<N>>(0, "echo/shmkit");
    let title = format!("shmkit / {floor}{}", case.label);
    if case.harness.wants(&title) {
        let workers = Workers::start(case.harness, 1, "echo/bare", N * 8, &[case.cpu]);
        let worker = workers.expect(AVAILABLE);
        let mut message = Value::boxed();
        let samples = Samples::beside(|| time_floor(&worker, &mut message), || ours.time(case));
        report.tell(&title, N * 8, case.unit(), &samples)?;
    }
    for (name, beside) in peers {
        beside(case, name, &mut ours, report)?;
    }
    boost_beside(case, &mut ours, report)
}

pub(crate) fn round_trip(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let case = Case { harness, work: Work::RoundTrip, label: "", cpu: 1 };
    let floor =
        |worker: &Workers<'_>, message: &mut Value<SMALL>| floors::bytes::<SMALL>(worker, message);
    let peers: [(&str, Beside<SMALL>); 6] = [
        ("iceoryx2", beside::<SMALL, Iceoryx>),
        ("crossbar", beside::<SMALL, Crossbar>),
        ("shaq", beside::<SMALL, Shaq>),
        ("cloudtoid", beside::<SMALL, Cloudtoid>),
        ("ipc-channel", beside::<SMALL, IpcChannel>),
        ("rtrb", beside::<SMALL, Rtrb>),
    ];
    compare(&case, "same bytes copied", floor, &peers, report)
}

pub(crate) fn asleep(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for (cores, cpu) in [TWO, ONE] {
        let label = format!(", {cores}");
        let case = Case { harness, work: Work::Asleep, label: &label, cpu };
        let floor = |worker: &Workers<'_>, _: &mut Value<SMALL>| floors::futex_us(worker);
        let peers: [(&str, Beside<SMALL>); 5] = [
            ("iceoryx2", beside::<SMALL, Iceoryx>),
            ("iceoryx2 events", beside::<SMALL, IceoryxEvents>),
            ("crossbar", beside::<SMALL, Crossbar>),
            ("cloudtoid", beside::<SMALL, Cloudtoid>),
            ("ipc-channel", beside::<SMALL, IpcChannel>),
        ];
        compare(&case, "futex", floor, &peers, report)?;
    }
    Ok(())
}

pub(crate) fn one_way(harness: &Harness, report: &mut Report) -> io::Result<()> {
    one_way_of::<SMALL>(harness, report)
}

pub(crate) fn copied(harness: &Harness, report: &mut Report) -> io::Result<()> {
    one_way_of::<MIDDLE>(harness, report)
}

fn one_way_of<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let case = Case { harness, work: Work::OneWay, label: "", cpu: 1 };
    let received = Cell::new(0);
    let floor = |worker: &Workers<'_>, message: &mut Value<N>| {
        let (ring, rounds) = (Ring::<N>::of(&harness.arena), case.rounds(N * 8));
        worker.time_with(BARE, rounds, || {
            for _ in 0..rounds {
                received.set(received.get() + 1);
                ring.receive(received.get(), black_box(message));
            }
        })
    };
    let peers: [(&str, Beside<N>); 6] = [
        ("iceoryx2", beside::<N, Iceoryx>),
        ("crossbar", beside::<N, Crossbar>),
        ("shaq", beside::<N, Shaq>),
        ("cloudtoid", beside::<N, Cloudtoid>),
        ("ipc-channel", beside::<N, IpcChannel>),
        ("rtrb", beside::<N, Rtrb>),
    ];
    compare(&case, "bare ring", floor, &peers, report)
}

/// Times the heads of large messages there and back.
fn heads<const N: usize, E: Lends<N>>(link: &mut Link<'_, N, E>) -> f64 {
    let Link { worker, ends, message } = link;
    let rounds = rounds(SMALL * 8, 200.0, 0.3);
    worker.time_with(RUN, rounds, || {
        for _ in 0..rounds {
            message[0] += 1;
            ends.send_head(message.first_chunk().expect("it has a head"));
            assert_eq!(ends.receive_head()[0], message[0], "another message came back");
        }
    })
}

pub(crate) fn loaned(harness: &Harness, report: &mut Report) -> io::Result<()> {
    loaned_by::<Shmkit>("shmkit", harness, report)?;
    loaned_by::<Iceoryx>("iceoryx2", harness, report)?;
    loaned_by::<Crossbar>("crossbar", harness, report)?;
    loaned_by::<Shaq>("shaq", harness, report)
}

fn loaned_by<P>(name: &str, harness: &Harness, report: &mut Report) -> io::Result<()>
where
    P: Peer,
    P::Ends<LARGE>: Lends<LARGE>,
{
    let case = Case { harness, work: Work::RoundTrip, label: "", cpu: 1 };
    let [echo, workload] = ["echo", "heads"].map(|task| format!("{task}/{name}"));
    let mut large = case.start::<LARGE, P::Ends<LARGE>>(1, &workload);
    let title = format!("{name}, 1 MiB / 64 B");
    if harness.wants(&title) {
        let mut small = case.start::<SMALL, P::Ends<SMALL>>(0, &echo);
        let samples = Samples::beside(|| small.time(&case), || heads(&mut large));
        report.tell(&title, LARGE * 8, "ns", &samples)?;
    }
    let title = format!("{name} / shmkit, 1 MiB");
    if name != "shmkit" && harness.wants(&title) {
        let mut ours = case.start::<LARGE, <Shmkit as Peer>::Ends<LARGE>>(0, "heads/shmkit");
        let samples = Samples::beside(|| heads(&mut ours), || heads(&mut large));
        report.tell(&title, LARGE * 8, "ns", &samples)?;
    }
    Ok(())
}

pub(crate) fn fan_out(harness: &Harness, report: &mut Report) -> io::Result<()> {
    for subscribers in [4, 16, 64] {
        let title = format!("shmkit, {subscribers} subscribers / 1");
        if harness.wants(&title) {
            let mut one = start_fan::<Shmkit>(harness, 0, "shmkit", 1);
            let mut many = start_fan::<Shmkit>(harness, 1, "shmkit", subscribers);
            let samples = Samples::beside(|| one.time(), || many.time());
            report.tell(&title, SMALL * 8, "ns", &samples)?;
        }
    }
    for subscribers in [1, 4, 16, 64] {
        fan_beside::<Iceoryx>("iceoryx2", subscribers, harness, report)?;
        fan_beside::<Crossbar>("crossbar", subscribers, harness, report)?;
        fan_beside::<Shaq>("shaq", subscribers, harness, report)?;
    }
    Ok(())
}

fn start_fan<'a, F: Fan>(
    harness: &'a Harness,
    station: usize,
    name: &str,
    subscribers: usize,
) -> Publishing<'a, F> {
    let publisher = F::publisher(&fan::place(&harness.arena), subscribers);
    let workload = format!("fan/{name}");
    let worker = Workers::start(harness, station, &workload, subscribers, &[1]);
    Publishing::new(worker.expect(AVAILABLE), publisher)
}

fn fan_beside<F: Fan>(
    name: &str,
    subscribers: usize,
    harness: &Harness,
    report: &mut Report,
) -> io::Result<()> {
    let title = format!("{name} / shmkit, {subscribers} subscribers");
    if !harness.wants(&title) {
        return Ok(());
    }
    let mut ours = start_fan::<Shmkit>(harness, 0, "shmkit", subscribers);
    let mut theirs = start_fan::<F>(harness, 1, name, subscribers);
    let samples = Samples::beside(|| ours.time(), || theirs.time());
    report.tell(&title, SMALL * 8, "ns", &samples)
}
