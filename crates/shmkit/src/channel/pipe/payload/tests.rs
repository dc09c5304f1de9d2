use super::super::places::{ENDED, HANDED, READERS, READERS_LEFT, WRITERS};
use super::*;
use crate::object::parts;
use crate::participant::ParticipantId;
use crate::shareable::Schema;

/// A writer that never was: a dead participant, by its generation.
const DEAD: ParticipantId = ParticipantId::new(3, 7);

fn with_part(check: impl FnOnce(&Pipe, &Part<'_>)) {
    let directory = tempfile::tempdir().unwrap();
    let pipe = Pipe::options().directory(directory.path()).create("log").unwrap();
    let object = &pipe.handle.object;
    let schema = Schema::parse(&object.layout().schema).unwrap();
    check(&pipe, &parts(object, &schema).unwrap()[0]);
}

#[test]
fn the_parts_are_where_the_constants_say() {
    with_part(|_, part| {
        let schema = part.schema.to_string();
        for (name, place) in [
            ("tail", TAIL),
            ("head", HEAD),
            ("turn", TURN),
            ("handed", HANDED),
            ("writers", WRITERS),
            ("readers", READERS),
            ("readers_left", READERS_LEFT),
            ("ended", ENDED),
            ("ring", CONTROL_BYTES),
        ] {
            assert!(schema.contains(&format!("{name}@{place}:")), "{name} in {schema}");
        }
        assert_eq!(part.item_length(), DEFAULT_CAPACITY);
    });
}

#[test]
fn a_turn_that_a_dead_writer_has_is_described_and_reaped_by_an_outsider() {
    with_part(|pipe, part| {
        part.word(TURN).unwrap().store(DEAD.to_bits(), Ordering::Relaxed);
        let holders = Pipe::describe(part).unwrap().holders;
        assert!(holders.len() == 1 && !holders[0].is_alive, "{holders:?}");
        Pipe::reap(part).unwrap();
        assert!(Pipe::describe(part).unwrap().holders.is_empty());
        let mut writer = pipe.writer().unwrap();
        assert_eq!(writer.try_write(b"it goes on").unwrap(), 10);
        // Not on a longer way each time: the word is free of marks.
        assert_eq!(part.word(TURN).unwrap().load(Ordering::Relaxed), 0);
    });
}

#[test]
fn garbage_in_the_words_is_described_as_unsound() {
    for (place, word) in [(TAIL, u64::MAX << 10), (HEAD, 1 << 40), (TURN, 1 << 30)] {
        with_part(|_, part| {
            part.word(place).unwrap().store(word, Ordering::Relaxed);
            assert!(!Pipe::describe(part).unwrap().is_sound, "{place}");
        });
    }
}
