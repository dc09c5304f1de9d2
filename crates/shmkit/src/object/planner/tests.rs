//! What the planner writes is what is read and hashed. The real kinds: `sync::group`.

use super::*;
use crate::error::Result;
use crate::object::{Builder, Part, PartState, Payload, Primitive};
use crate::shareable::{Schema, Shareable};

/// A struct with padding, which is aligned to 16 bytes.
#[derive(shmkit_derive::Shareable, Clone, Copy)]
#[repr(C)]
struct Wide {
    number: u128,
    part: u8,
}

/// Defines a payload that is planned, and not opened.
macro_rules! planned {
    ($(#[$doc:meta])* $name:ident $(<$value:ident>)?, $kind:ident, $initial:ty, $plan:expr) => {
        $(#[$doc])*
        struct $name$(<$value>(std::marker::PhantomData<$value>))?;

        #[allow(private_interfaces, reason = "it is implemented by this library only")]
        impl$(<$value: Shareable>)? Payload for $name$(<$value>)? {
            type Initial = $initial;
            const KIND: Kind = Kind::$kind;

            fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>) {
                let plan: fn(&mut Planner<'_>, Option<&Self::Initial>) = $plan;
                plan(planner, initial);
            }

            fn build(_: &mut Builder) -> Result<Self> {
                unreachable!("it is not opened")
            }

            fn describe(_: &Part<'_>) -> Result<PartState> {
                unreachable!("it is not described")
            }
        }

        impl$(<$value: Shareable>)? Primitive for $name$(<$value>)? {}
    };
}

planned!(
    /// One word.
    Word, Event, u64,
    |planner, initial| {
        let line = planner.line("word");
        planner.word("other", line + 8, WORDS);
        if let Some(initial) = initial {
            planner.write_at(line, &initial.to_le_bytes());
        }
    }
);
planned!(
    /// A value in its line or behind it, and words for each participant.
    Value<T>, RwLock, (),
    |planner, _| {
        planner.line("owner");
        planner.value(ValueType::Layout(T::LAYOUT), 16);
        planner.words_for_each("shares", SLEEP, 3);
        planner.words("more", WORDS, 100);
    }
);
planned!(
    /// Slots with values, as a `Latest` has them.
    Slots<T>, Latest, (),
    |planner, _| {
        planner.line("latest");
        planner.line("owner");
        let size = (8 + T::LAYOUT.size() as u64).next_multiple_of(64);
        planner.slots(3, size, ValueType::Layout(T::LAYOUT));
    }
);

fn plan_of<P: Payload>(participants: u32, initial: &P::Initial, items: u32) -> Plan {
    let counts = Counts { items, ..Counts::of(participants) };
    Plan::new(P::KIND, counts, &|planner| P::plan(planner, Some(initial)))
}

fn fingerprint_of<P: Payload>(participants: u32, items: u32) -> (u64, u64) {
    let counts = Counts { items, ..Counts::of(participants) };
    size_and_fingerprint(P::KIND, counts, &|planner| P::plan(planner, None))
}

/// What an object begins with, which is in the order of the places and within its size.
fn first_bytes<P: Payload>(
    participants: u32,
    initial: &P::Initial,
    items: u32,
    size: u64,
) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut each = |place, bytes: &[u8]| found.push((place, bytes.to_vec()));
    let counts = Counts { items, ..Counts::of(participants) };
    let mut planner = Planner::of_first_bytes(counts, &mut each);
    P::plan(&mut planner, Some(initial));
    assert_eq!(planner.end, size);
    let mut end = 0;
    for (place, bytes) in &found {
        assert!(*place >= end, "{place} after {end}");
        end = place + bytes.len() as u64;
    }
    assert!(end <= size);
    found
}

impl Planner<'_> {
    /// Returns the schema of any object of `P`.
    pub(crate) fn text<P: Payload>(participants: u32, items: u32) -> String {
        let counts = Counts { items, ..Counts::of(participants) };
        schema_text(P::KIND, counts, &|planner| P::plan(planner, None))
    }

    /// Checks that what is written for a type is what is read and hashed, for several numbers of
    /// participants.
    #[track_caller]
    pub(crate) fn check<P: Payload>(initial: &P::Initial) {
        for participants in [1, 7, 1024] {
            let items = P::items(initial).unwrap();
            let plan = plan_of::<P>(participants, initial, items);
            let read = Schema::parse(&plan.schema).unwrap();
            assert_eq!(read.to_string(), plan.schema);
            assert_eq!(read.fingerprint(), plan.fingerprint, "{}", plan.schema);
            assert_eq!((read.size(), read.align()), (plan.size, LINE));
            assert_eq!(fingerprint_of::<P>(participants, items), (plan.size, plan.fingerprint));
            let text = Self::text::<P>(participants, items);
            assert_eq!(text, plan.schema, "what an object begins with is not described");
            first_bytes::<P>(participants, initial, items, plan.size);
        }
    }

    /// Returns the fingerprint of any object of `P` for 7 participants.
    pub(crate) fn fingerprint<P: Payload>(items: u32) -> u64 {
        fingerprint_of::<P>(7, items).1
    }
}

#[test]
fn the_text_is_read_as_it_is_hashed() {
    Planner::check::<Word>(&1);
    Planner::check::<Value<u8>>(&());
    Planner::check::<Value<Wide>>(&());
    Planner::check::<Value<[Wide; 40]>>(&());
    Planner::check::<Slots<u8>>(&());
    Planner::check::<Slots<Wide>>(&());
    Planner::check::<Slots<[Wide; 40]>>(&());
    Planner::check::<(Word, [Slots<Wide>; 3])>(&(1, [(); 3]));
    Planner::check::<Box<[(Value<Wide>, Slots<Wide>)]>>(&vec![((), ()); 9]);
}

#[test]
fn a_fingerprint_is_the_hash_that_the_format_says() {
    let plan = plan_of::<(Slots<u64>, [Word; 2])>(7, &((), [1, 2]), 0);
    let text = |group, latest, value, event| {
        format!(
            "{group}(768,128){{0@0:latest#{latest}(512,128){{latest@0:wait#u64,owner@128:wait#u64,\
             slots@256:words#[(64,8){{stamp@0:words#u64,value@8:value#{value}}};3]}},\
             1@512:group#{group}(256,128){{0@0:event#[{event}(128,128){{\
             word@0:wait#u64,other@8:words#u64}};2]}}}}"
        )
    };
    assert_eq!(plan.schema, text("group", "latest", "u64", "event"));
    let value = format!("#{:016x}", fnv1a_from(FNV_OFFSET_BASIS, "u64"));
    let hashed = text("", "", &value, "");
    assert_eq!(plan.fingerprint, fnv1a_from(FNV_OFFSET_BASIS, &hashed));
}

#[test]
fn a_type_that_was_read_is_hashed_as_one_that_was_compiled() {
    let schema = Schema::of::<[Wide; 3]>();
    let [compiled, read] = [ValueType::Layout(<[Wide; 3]>::LAYOUT), ValueType::Schema(&schema)]
        .map(|value| {
            size_and_fingerprint(Kind::Latest, Counts::of(7), &|planner| {
                planner.line("owner");
                planner.value(value, 8);
                planner.slots(3, 128, value);
            })
        });
    assert_eq!(compiled, read);
}

#[test]
fn each_item_begins_with_its_own_bytes() {
    let initial = vec![(3, [4, 5]), (6, [7, 8]), (9, [10, 11])];
    let found = first_bytes::<Box<[(Word, [Word; 2])]>>(2, &initial, 3, 9 * LINE);
    let expected = (0..9u64).map(|line| (line * LINE, (3 + line).to_le_bytes().into()));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// `P` in five tuples of one.
type In5<P> = (((((P,),),),),);

#[test]
fn nested_groups_are_planned_in_little_time() {
    type Deep = In5<In5<In5<In5<In5<(Word,)>>>>>;
    let (size, hash) = fingerprint_of::<Deep>(7, 0);
    let read = Schema::parse(&Planner::text::<Deep>(7, 0)).unwrap();
    assert_eq!((read.size(), read.fingerprint()), (size, hash));
    assert_eq!(size, LINE);
}

#[test]
fn a_number_of_items_that_no_object_can_have_is_planned_without_overflow() {
    let (size, _) = fingerprint_of::<Box<[[[Value<u8>; 65_536]; 65_536]]>>(1024, u32::MAX);
    assert_eq!(size, u64::MAX);
}

#[test]
fn a_value_is_in_its_line_if_there_is_room() {
    assert_eq!(Room::of(120, 8, 8), Room::Line(8));
    assert_eq!(Room::of(121, 1, 8), Room::Behind);
    assert_eq!(Room::of(112, 16, 8), Room::Line(16));
    assert_eq!(Room::of(113, 16, 8), Room::Behind);
    assert_eq!(Room::of(64, 64, 16), Room::Line(64));
    assert_eq!(Room::of(1, 128, 8), Room::Behind);
}
