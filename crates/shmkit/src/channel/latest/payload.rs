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
use super::records::{Records, now_ns};
use super::register::{self, LAST, Register};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Builder, Column, Holding, Kind, KindFlags, Part, PartState, Payload, Planner, Value, ValueType,
    WORDS, grouped,
};
use crate::participant::owner::OwnerWord;
use crate::participant::{Liveness, Role};
use crate::shareable::Shareable;
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
    let (latest, stamp) = register::FIRST;
    let mut word = |place: usize, word: u64| planner.write_at(place as u64, &word.to_le_bytes());
    word(LATEST, latest);
    word(BEGUN, stamp);
    // The first value is in the slot after the first.
    let slot = SLOTS + geometry.stride_bytes();
    word(slot, stamp);
    planner.write_at((slot + WORD) as u64, value);
    let time = (flags & FLAG_TIMES != 0).then(|| now_ns(flags & FLAG_PROVED != 0));
    let mut word = |place: usize, word: u64| planner.write_at(place as u64, &word.to_le_bytes());
    if flags & FLAG_PROVED != 0 {
        word(geometry.checks_offset() + WORD, check_of(stamp, time, value));
    }
    if let Some(time) = time {
        word(geometry.times_offset(flags) + WORD, time);
    }
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<T: Shareable> Payload for Latest<T> {
    /// The bytes of its first value, if it begins with one.
    type Initial = Option<Box<[u8]>>;

    const KIND: Kind = Kind::Latest;
    // Readers take no slot. Each writer takes a slot.
    const ROLE: Option<Role> = None;
    const PARTICIPANTS: u32 = 16;
    const DISK_FLAGS: u32 = FLAG_PROVED;

    fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>) {
        plan(planner, ValueType::Layout(T::LAYOUT), TypeGeometry::<T>::GEOMETRY);
        if let Some(Some(first)) = initial {
            set_first(planner, TypeGeometry::<T>::GEOMETRY, first);
        }
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
        if let Some(holder) = owner.look().holder().filter(|it| part.reap_if_dead(*it)) {
            // The next of several writers resumes only what a writer left that it replaces.
            register.resume_if(|| owner.look().holder() == Some(holder));
            owner.replace_dead_holder(None, part);
        }
        Ok(())
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
        let mut newest_whole = None;
        // While a writer lives, the stamps say which values are whole.
        if part.flags() & FLAG_PROVED != 0 && alive == 0 {
            let flags = part.flags();
            let words = |offset| part.words_at(offset as u64, geometry.all_slots(flags));
            let checks = words(geometry.checks_offset())?;
            let times = match flags & FLAG_TIMES {
                0 => None,
                _ => Some(words(geometry.times_offset(flags))?),
            };
            let records = Records::new(Some(checks), times);
            let proof = Proof::new(register, part.words()?, records, part.word(KEPT_AT as u64)?);
            let proof = proof.ok_or_else(|| too_small(value))?;
            sequence = proof.last();
            is_sound = sequence < LAST && owner.is_sound();
            newest_whole = Some(proof.newest_whole());
        }
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
    let register = Register::new(WaitWord::new(latest), begun, part.words()?, geometry);
    Ok((register.ok_or_else(|| too_small(value))?, value))
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
