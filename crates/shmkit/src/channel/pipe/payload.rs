//! A pipe as a payload: its parts, and how `shm` describes them.

use super::Pipe;
use super::handle::Handle;
use super::places::{CONTROL_BYTES, DEFAULT_CAPACITY, HEAD, TAIL, TURN, checked_capacity};
use super::stream::{Place, Stream};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::atomic::Ordering;
use crate::object::{
    Builder, Column, Holding, Kind, Part, PartState, Payload, Planner, WORDS, grouped,
};
use crate::participant::Role;
use crate::participant::owner::OwnerWord;

const TURN_HELD: Holding = Holding::new(
    "writes",
    "writes {} times",
    "while it wrote: the next writer gets the turn, and readers get PeerDied",
);

const COLUMNS: &[Column] =
    &[Column::Participants("ENDS"), Column::Waiting, Column::State, Column::HeldBy];

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl Payload for Pipe {
    type Initial = ();

    const KIND: Kind = Kind::Pipe;
    // Each writer and each reader takes a slot.
    const ROLE: Option<Role> = None;
    const ITEM_LENGTH: u64 = DEFAULT_CAPACITY;

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        planner.line("tail");
        planner.line("head");
        let turn = planner.line("turn");
        let words = ["handed", "writers", "readers", "readers_left", "ended"];
        for (place, name) in (turn + 8..).step_by(8).zip(words) {
            planner.word(name, place, WORDS);
        }
        planner.words("ring", WORDS, planner.item_length() / 8);
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        Ok(Self { handle: Handle::over(builder.object().clone(), builder.item_length())?.into() })
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let stream = stream_of(part)?;
        let turn = OwnerWord::of_lock(part.word(TURN)?).look();
        let (unread, capacity) = (stream.unread(), checked_capacity(part.item_length())?);
        let is_sound = unread.is_ok() && turn.is_sound();
        let unread = unread.unwrap_or_default();
        let [writers, readers] = [Role::Writer, Role::Reader].map(|it| part.count_in_role(it));
        let deaths = u64::from(part.counted_deaths(Role::Writer));
        // ORDERING: Relaxed; only shown to people.
        let written = Place(part.word(TAIL)?.load(Ordering::Relaxed)).position();
        let text = format!("{} of {} bytes", grouped(unread), grouped(capacity as u64));
        Ok(PartState {
            lines: vec![
                ("unread", text.clone()),
                ("written", format!("{} bytes so far", grouped(written))),
                ("writers", ends(writers, deaths)),
                ("readers", ends(readers, 0)),
            ],
            text,
            fields: vec![
                ("capacity", (capacity as u64).into()),
                ("unread", unread.into()),
                ("written", written.into()),
                ("writer_ends", writers.0.into()),
                ("reader_ends", readers.0.into()),
                ("deaths", deaths.into()),
            ],
            columns: COLUMNS,
            holders: turn.holder().map(|id| part.held_by(id, TURN_HELD)).into_iter().collect(),
            is_sound,
            ..PartState::default()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        OwnerWord::of_lock(part.word(TURN)?).reap(part, |_| {})
    }
}

/// The stream of a part, for a process that does not know its type.
fn stream_of<'a>(part: &Part<'a>) -> Result<Stream<'a>> {
    let capacity = checked_capacity(part.item_length())?;
    let ring = part.words_at(CONTROL_BYTES, capacity / 8)?;
    let stream = Stream::new(part.word(TAIL)?, part.word(HEAD)?, ring);
    stream.ok_or_else(|| Error::new(ErrorKind::Corrupt, "its ring has no size of a ring"))
}

/// How many participants of a role live and are dead, and how many deaths were counted before.
fn ends((alive, dead): (u64, u64), deaths: u64) -> String {
    let mut text = match alive {
        0 => "none".into(),
        alive => alive.to_string(),
    };
    if dead > 0 {
        text += &format!("; {dead} died, and the next participant frees the slot");
    }
    if deaths > 0 {
        text += &format!("; {deaths} died so far");
    }
    text
}

#[cfg(all(test, not(loom)))]
mod tests;
