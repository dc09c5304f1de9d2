//! A `Latest` as a payload: its parts, and how `shm` describes them.
//!
//! ```text
//! payload   0      8        128      256
//!           latest begun .. owner .. slots: | stamp | value | stamp | value | ...
//! ```
//!
//! On a disk, `kept_at` is at 16. After the slots come two more slots, which keep older values, and
//! the checks of all slots. If times are recorded, the times of all slots come last.

use super::Latest;
use super::check::check_of;
use super::geometry::{
    BEGUN, FLAG_PROVED, FLAG_SHARED_WRITERS, FLAG_TIMES, Geometry, KEPT_AT, LATEST, OWNER, SLOTS,
    TypeGeometry, WORD,
};
use super::handle::Handle;
use super::proof::Proof;
use super::records::{Records, date, now_ns};
use super::register::{self, LAST, Register};
use super::writing::encoded;
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Builder, Column, Holding, Kind, KindFlags, Part, PartState, Payload, Planner, Value, ValueType,
    WORDS, grouped,
};
use crate::participant::Role;
use crate::participant::owner::OwnerWord;
use crate::shareable::{Shareable, bytes_of};
use crate::wait::WaitWord;

const WRITES: Holding = Holding::new(
    "may write",
    "may write {} times",
    "as the writer: the next writer gets the right to write, and readers get PeerDied",
);

const COLUMNS: &[Column] = &[Column::Participants("WRITERS"), Column::Readers, Column::Rate];

/// Plans a `Latest` of values of this type.
pub(super) fn plan(planner: &mut Planner<'_>, value: ValueType<'_>, geometry: Geometry) {
    let flags = planner.flags();
    let slots = geometry.all_slots(flags) as u64;
    let latest = planner.line("latest");
    planner.word("begun", latest + BEGUN as u64, WORDS);
    if flags & FLAG_PROVED != 0 {
        planner.word("kept_at", latest + KEPT_AT as u64, WORDS);
    }
    planner.line("owner");
    planner.slots(slots, geometry.stride_bytes() as u64, value);
    if flags & FLAG_PROVED != 0 {
        planner.words("checks", WORDS, slots);
    }
    if flags & FLAG_TIMES != 0 {
        planner.words("times", WORDS, slots);
    }
}

/// Sets the first value of a new object: the words that its writer would leave.
fn set_first(planner: &mut Planner<'_>, geometry: Geometry, value: &[u8]) {
    let flags = planner.flags();
    let mut write = |place: usize, bytes: &[u8]| planner.write_at(place as u64, bytes);
    let (latest, stamp) = register::FIRST;
    write(LATEST, &latest.to_le_bytes());
    write(BEGUN, &stamp.to_le_bytes());
    // The first value is in the slot after the first.
    let slot = SLOTS + geometry.stride_bytes();
    write(slot, &stamp.to_le_bytes());
    write(slot + WORD, value);
    let time = (flags & FLAG_TIMES != 0).then(|| now_ns(flags & FLAG_PROVED != 0));
    if flags & FLAG_PROVED != 0 {
        let check = check_of(stamp, time, value);
        write(geometry.checks_offset() + WORD, &check.to_le_bytes());
    }
    if let Some(time) = time {
        write(geometry.times_offset(flags) + WORD, &time.to_le_bytes());
    }
}

impl<T: Shareable> Latest<T> {
    /// Plans an object whose first value is this one.
    pub(super) fn plan_with(planner: &mut Planner<'_>, first: &T) {
        Self::plan(planner, None);
        let mut room = Vec::new();
        let bytes = bytes_of(first).unwrap_or_else(|| {
            room.resize(size_of::<T>(), 0);
            encoded(first, &mut room)
        });
        set_first(planner, TypeGeometry::<T>::GEOMETRY, bytes);
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Payload for Latest<T> {
    // Its first value, if it begins with one, is encoded only when it is created: `plan_with`.
    type Initial = ();

    const KIND: Kind = Kind::Latest;
    // Readers take no slot. Each writer takes a slot.
    const ROLE: Option<Role> = None;
    const PARTICIPANTS: u32 = 16;
    const DISK_FLAGS: u32 = FLAG_PROVED;

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        plan(planner, ValueType::Layout(T::LAYOUT), TypeGeometry::<T>::GEOMETRY);
    }

    #[allow(unsafe_code, reason = "the type was compared with the object")]
    fn build(builder: &mut Builder) -> Result<Self> {
        let handle = Handle::over(builder.object().clone(), TypeGeometry::<T>::GEOMETRY)?;
        // SAFETY: the object has the fingerprint of this type, so its values have this type's size.
        let shape = unsafe { TypeGeometry::compared() };
        Ok(Self { handle: handle.into(), shape })
    }

    fn check_flags(asked: KindFlags, found: u32) -> Result<()> {
        asked.check("shared writers", FLAG_SHARED_WRITERS, found)?;
        asked.check("timestamps", FLAG_TIMES, found)
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        let (register, _) = register_in(part)?;
        let owner = OwnerWord::of_role(part.word(OWNER as u64)?);
        owner.reap(part, |dead| {
            // The next of several writers resumes only what a writer left that it replaces.
            register.resume_if(|| owner.look().holder() == Some(dead));
        })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let (register, value) = register_in(part)?;
        let geometry = register.shape;
        let owner = OwnerWord::of_role(part.word(OWNER as u64)?).look();
        let (mut sequence, half_written) = (register.newest().sequence, register.half_written());
        let mut is_sound = register.is_sound() && sequence < LAST && owner.is_sound();
        let shared_writers = part.flags() & FLAG_SHARED_WRITERS != 0;
        let (alive, dead) = part.count_participants();
        let deaths = u64::from(owner.deaths());
        let writers = writers(alive, dead, deaths, shared_writers, part.max_participants());
        let holders: Vec<_> =
            owner.holder().map(|id| part.held_by(id, WRITES)).into_iter().collect();
        let being_written = holders.iter().any(|holder| holder.is_alive);
        let (records, mut newest_whole) = (records_in(part, geometry)?, None);
        let mut set_at = register.with_records(records).newest_time();
        // While a writer lives, the stamps say which values are whole.
        if part.flags() & FLAG_PROVED != 0 && alive == 0 {
            let proof = Proof::new(register, part.words()?, records, part.word(KEPT_AT as u64)?);
            let proof = proof.ok_or_else(|| too_small(value))?;
            sequence = proof.last();
            is_sound = sequence < LAST && owner.is_sound();
            newest_whole = Some(proof.newest_whole());
            set_at = proof.newest_time();
        }
        // A moment that is still to come is no moment of a change.
        let age = set_at.ok().flatten().and_then(|time| records.age(time).ok());
        let values = values(sequence, newest_whole, half_written, being_written);
        let mut fields = vec![
            ("value_bytes", value.into()),
            ("shared_writers", shared_writers.into()),
            ("writers", alive.into()),
            ("sequence", sequence.into()),
            ("half_written", Value::Number(half_written)),
            ("deaths", deaths.into()),
        ];
        fields.extend(newest_whole.map(|sequence| ("newest_whole", sequence.into())));
        Ok(PartState {
            text: values.clone(),
            fields,
            lines: vec![("values", values), ("writers", writers)],
            columns: COLUMNS,
            holders,
            changes: Some(sequence),
            changed: age.map(date),
            is_sound,
        })
    }
}

/// The register of a part, for a process that does not know its type, and the size of its values.
fn register_in<'a>(part: &Part<'a>) -> Result<(Register<'a>, u64)> {
    let value = part.value().map_or(0, |schema| schema.size());
    let Some(geometry) = usize::try_from(value).ok().and_then(Geometry::of) else {
        return Err(Error::new(ErrorKind::Corrupt, format!("a value of {value} bytes")));
    };
    let (latest, begun) = (part.word(LATEST as u64)?, part.word(BEGUN as u64)?);
    let latest = WaitWord::new(latest).with_read_only_peers(part.has_read_only_peers());
    let register = Register::new(latest, begun, part.words()?, geometry);
    Ok((register.ok_or_else(|| too_small(value))?, value))
}

/// The records of a part, for a process that does not know its type.
fn records_in<'a>(part: &Part<'a>, geometry: Geometry) -> Result<Records<'a>> {
    let flags = part.flags();
    let words = |flag, offset: usize| match flags & flag {
        0 => Ok(None),
        _ => part.words_at(offset as u64, geometry.all_slots(flags)).map(Some),
    };
    let checks = words(FLAG_PROVED, geometry.checks_offset())?;
    Ok(Records::new(checks, words(FLAG_TIMES, geometry.times_offset(flags))?))
}

fn too_small(value: u64) -> Error {
    let why = format!("its slots are too small for values of {value} bytes");
    Error::new(ErrorKind::Corrupt, why)
}

fn values(
    sequence: u64,
    newest_whole: Option<u64>,
    half_written: Option<u64>,
    being_written: bool,
) -> String {
    let set = match sequence {
        0 => "none yet".into(),
        1 => "1 was set".into(),
        many => format!("{} were set", grouped(many)),
    };
    match newest_whole {
        Some(0) if sequence > 0 => return format!("{set}; none of them is whole here"),
        Some(whole) if whole < sequence => {
            return format!("{set}; the newest that is whole here is number {}", grouped(whole));
        }
        _ => {}
    }
    match half_written {
        Some(number) if being_written => {
            format!("{set}; number {} is being written", grouped(number))
        }
        Some(number) => format!("{set}; number {} was left half-written", grouped(number)),
        None => set,
    }
}

fn writers(alive: u64, dead: u64, deaths: u64, shared: bool, most: u32) -> String {
    let mut text = match shared {
        true => format!("{alive} sharing the right to write, at most {most}"),
        false => format!("{alive} of 1"),
    };
    if dead > 0 {
        text += &format!("; {dead} died, and the next writer frees the slot");
    }
    if deaths > 0 {
        text += &format!("; {deaths} dead replaced so far");
    }
    text
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::memory::atomic::{AtomicU64, Ordering};
    use crate::object::parts;
    use crate::participant::ParticipantId;
    use crate::shareable::Schema;
    use crate::sys::wait::{self, Kind as Sleeper, WaitOutcome};

    /// A writer that never was: a dead participant, by its generation.
    const DEAD: ParticipantId = ParticipantId::new(3, 7);

    /// Calls `check` with the part of an object that a reader without the right to write can use.
    fn with_part(check: impl FnOnce(&Part<'_>)) {
        let directory = tempfile::tempdir().unwrap();
        let options = Latest::<u64>::options().directory(directory.path()).read_only_peers(true);
        let latest = options.create("value").unwrap();
        let object = &latest.handle.object;
        let schema = Schema::parse(&object.layout().schema).unwrap();
        check(&parts(object, &schema).unwrap()[0]);
    }

    /// As if the dead writer had died between the stamp "complete" of value 1 and `latest`.
    fn leave_complete(part: &Part<'_>) {
        let store = |word: &AtomicU64, value| word.store(value, Ordering::Relaxed);
        let (_, stamp) = register::FIRST;
        let slot = &part.words().unwrap()[TypeGeometry::<u64>::GEOMETRY.stride_bytes() / WORD..];
        store(part.word(LATEST as u64).unwrap(), 0);
        store(part.word(BEGUN as u64).unwrap(), stamp);
        store(&slot[1], 9);
        store(&slot[0], stamp);
        store(part.word(OWNER as u64).unwrap(), DEAD.to_bits());
    }

    #[test]
    fn a_value_that_an_outsider_completes_wakes_readers_that_may_only_read() {
        with_part(|part| {
            let word = part.word(LATEST as u64).unwrap();
            let (mut woken, mut rounds) = (0, 0);
            while woken < 10 {
                rounds += 1;
                assert!(rounds < 1_000, "no reader sleeps");
                leave_complete(part);
                std::thread::scope(|scope| {
                    // It marks nothing, as one that may only read.
                    let until = Instant::now() + Duration::from_secs(5);
                    let reader =
                        scope.spawn(move || wait::wait(word, 0, Some(until), Sleeper::Only));
                    // So that it mostly sleeps. If it does not yet, it finds the change.
                    std::thread::sleep(Duration::from_millis(5));
                    Latest::<u64>::reap(part).unwrap();
                    match reader.join().unwrap() {
                        WaitOutcome::TimedOut => panic!("not woken"),
                        outcome => woken += u32::from(outcome == WaitOutcome::Woken),
                    }
                });
                let (register, _) = register_in(part).unwrap();
                assert_eq!(register.newest().sequence, 1);
                assert_eq!(word.load(Ordering::Relaxed), register::FIRST.0);
            }
        });
    }

    #[test]
    fn a_garbage_owner_word_is_reported_and_no_value_is_completed_for_it() {
        with_part(|part| {
            leave_complete(part);
            let owner = part.word(OWNER as u64).unwrap();
            owner.fetch_or(1 << 30, Ordering::Relaxed);
            let garbage = owner.load(Ordering::Relaxed);
            assert_eq!(Latest::<u64>::reap(part).unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(owner.load(Ordering::Relaxed), garbage);
            assert_eq!(part.word(LATEST as u64).unwrap().load(Ordering::Relaxed), 0);
        });
    }
}
