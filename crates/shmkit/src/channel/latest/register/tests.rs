use super::*;
use crate::channel::latest::geometry::WORD;
use crate::memory::HeapMemory;

const SLOTS_AT: usize = 256;

fn with_register(bytes: usize, check: impl FnOnce(Register<'_>)) {
    let geometry = Geometry::of(bytes).unwrap();
    let memory = HeapMemory::zeroed(SLOTS_AT + geometry.words() * WORD);
    let view = memory.view();
    let slots = view.words(SLOTS_AT, geometry.words()).unwrap();
    let (latest, begun) = (view.word(0).unwrap(), view.word(8).unwrap());
    check(Register::new(WaitWord::new(latest), begun, slots, geometry).unwrap());
}

fn newest(register: &Register<'_>) -> Result<(u64, Vec<u8>), ReadError> {
    let mut value = vec![MaybeUninit::uninit(); register.shape.geometry().value_bytes];
    let sequence = register.read_newest(&mut value)?;
    // SAFETY: `read_newest` initialises all of it.
    let value = value.into_iter().map(|byte| unsafe { byte.assume_init() });
    Ok((sequence, value.collect()))
}

#[test]
fn the_newest_value_is_read_whole_at_every_size() {
    for bytes in [0, 1, 7, 8, 9, 63, 64, 65, 1_000, 1_024, 1_025, 100_003] {
        with_register(bytes, |register| {
            assert_eq!(newest(&register), Err(ReadError::Empty));
            for sequence in 1..=200_u64 {
                let value: Vec<u8> =
                    (0..bytes).map(|at| (at as u64 * 7 + sequence) as u8).collect();
                assert_eq!(register.publish(&value), Ok(sequence));
                assert_eq!(newest(&register), Ok((sequence, value)), "{bytes} bytes");
            }
        });
    }
}

#[test]
fn older_values_last_as_long_as_there_are_slots() {
    with_register(8, |register| {
        let slots = register.shape.geometry().slots as u64;
        (1..=slots + 10).for_each(|n: u64| {
            register.publish(&n.to_le_bytes()).unwrap();
        });
        let mut into = [MaybeUninit::uninit(); 8];
        assert_eq!(register.read(10, &mut into), Err(ReadError::Overwritten));
        assert_eq!(register.read(11, &mut into), Ok(()));
        // SAFETY: `read` initialised all of it.
        assert_eq!(into.map(|byte| unsafe { byte.assume_init() }), 11_u64.to_le_bytes());
        assert_eq!(register.read(slots + 10, &mut into), Ok(()));
        assert_eq!(register.read(slots + 11, &mut into), Err(ReadError::Empty));
    });
}

#[test]
fn a_closed_register_keeps_its_values_and_says_so() {
    with_register(8, |register| {
        register.publish(&[7; 8]).unwrap();
        register.close();
        assert_eq!(newest(&register), Err(ReadError::Closed));
        assert_eq!(register.newest(), Newest { sequence: 1, closed: true });
        assert_eq!(register.read(1, &mut [MaybeUninit::uninit(); 8]), Ok(()));
        assert_eq!(register.publish(&[8; 8]), Err(PublishError::Closed));
    });
}

#[test]
fn a_mark_of_sleepers_lasts_until_the_next_value_and_hides_none() {
    with_register(8, |register| {
        register.latest.atomic().fetch_or(ASLEEP, Ordering::Relaxed);
        assert_eq!(newest(&register), Err(ReadError::Empty));
        assert_eq!(register.publish(&[7; 8]), Ok(1));
        assert_eq!(register.latest.load(Ordering::Relaxed), 1 << SHIFT);
        assert_eq!(register.publish(&[7; 8]), Ok(2));
        register.latest.atomic().fetch_or(ASLEEP, Ordering::Relaxed);
        assert_eq!(newest(&register).map(|(sequence, _)| sequence), Ok(2));
    });
}

#[test]
fn a_value_that_is_given_up_leaves_readers_as_they_were() {
    with_register(8, |register| {
        for sequence in 1..200_u64 {
            let begun = register.begin().unwrap();
            assert_eq!(register.half_written(), Some(sequence));
            register.write(&begun, &[9; 8]);
            register.give_up(begun);
            assert_eq!(register.half_written(), None);
            assert_eq!(register.newest().sequence, sequence - 1);
            assert!(register.is_sound());
            // A reader that finds the newest value in `begun` does not look at the next slot.
            let latest = register.latest.load(Ordering::Relaxed);
            assert_eq!(register.begun.load(Ordering::Relaxed), latest | COMPLETE);
            assert_eq!(register.publish(&sequence.to_le_bytes()), Ok(sequence));
            let value = sequence.to_le_bytes().to_vec();
            assert_eq!(newest(&register), Ok((sequence, value)));
        }
    });
}

#[test]
fn a_writer_that_was_replaced_gets_role_lost() {
    with_register(8, |register| {
        register.publish(&[7; 8]).unwrap();
        assert_eq!(register.advance(0), Err(PublishError::RoleLost));
    });
}

/// Stamps and sequences near which something could overflow or wrap.
fn garbage() -> impl Iterator<Item = u64> + Clone {
    let small = 0..9_u64;
    let near = [1 << 32, LAST, LAST << SHIFT, 1 << 62, 1 << 63, u64::MAX];
    small.chain(near.into_iter().flat_map(|at| (0..9).map(move |d| (at - 4).wrapping_add(d))))
}

#[test]
fn garbage_in_any_word_gives_a_value_or_a_miss() {
    for bytes in [0, 8, 64, 2_000] {
        with_register(bytes, |register| {
            let mut into = vec![MaybeUninit::uninit(); bytes];
            for (latest, stamp) in garbage().flat_map(|it| garbage().map(move |s| (it, s))) {
                register.latest.atomic().store(latest, Ordering::Relaxed);
                register.slots.iter().for_each(|word| word.store(stamp, Ordering::Relaxed));
                let _ = register.read_newest(&mut into);
                let _ = register.read(latest >> SHIFT, &mut into);
                let _ = (register.newest(), register.half_written());
                let _ = (register.resume(), register.publish(&vec![1; bytes]));
            }
        });
    }
}

#[test]
fn a_newest_that_its_slot_never_held_is_corrupt() {
    with_register(8, |register| {
        register.latest.atomic().store(5 << SHIFT, Ordering::Relaxed);
        assert_eq!(newest(&register), Err(ReadError::Corrupt));
        register.latest.atomic().store(LAST << SHIFT, Ordering::Relaxed);
        assert_eq!(register.publish(&[0; 8]), Err(PublishError::Corrupt));
    });
}

#[test]
fn zeros_hold_no_value_at_any_size() {
    for bytes in [0, 8, 64, 65, 120, 121, 4_096, 262_144, 262_145] {
        with_register(bytes, |register| {
            let mut into = vec![MaybeUninit::uninit(); bytes];
            assert!(!register.try_newest(&mut into), "{bytes} bytes");
            assert_eq!(register.read_newest(&mut into), Err(ReadError::Empty));
            assert_eq!(register.read(0, &mut into), Err(ReadError::Empty));
        });
    }
}

#[test]
fn the_geometry_changes_where_the_table_says_so() {
    for (bytes, slots, stride) in [
        (1, 64, 16),
        (8, 64, 16),
        (9, 64, 32),
        (56, 64, 64),
        (57, 64, 72),
        (64, 64, 72),
        (65, 32, 128),
        (120, 32, 128),
        (121, 16, 192),
        (4_096, 16, 4_160),
        (4_097, 8, 4_160),
        (262_144, 8, 262_208),
        (262_145, 4, 262_208),
    ] {
        let geometry = Geometry::of(bytes).unwrap();
        let found = (geometry.slots, geometry.stride_bytes());
        assert_eq!(found, (slots, stride), "{bytes} bytes");
    }
}

#[test]
fn a_latest_that_no_writer_leaves_is_not_sound() {
    with_register(8, |register| {
        assert!(register.is_sound());
        register.publish(&[7; 8]).unwrap();
        assert!(register.is_sound());
        for spoilt in [2, 70, LAST + 1, 1 << 61] {
            register.latest.atomic().store(spoilt << SHIFT, Ordering::Relaxed);
            assert!(!register.is_sound(), "{spoilt}");
        }
    });
}

#[test]
fn the_geometry_holds_every_value_and_nothing_is_too_large_silently() {
    for bytes in (0..20_000).chain([1 << 20, (1 << 30) + 1]) {
        let geometry = Geometry::of(bytes).unwrap();
        assert!(geometry.slots.is_power_of_two() && geometry.slots >= 4);
        assert!((geometry.stride_words - 1) * WORD >= bytes, "{bytes}");
        assert_eq!(geometry.words(), geometry.slots * geometry.stride_words);
    }
    assert_eq!(Geometry::of(64).unwrap().words() * WORD, 64 * 72);
    assert_eq!(Geometry::of(usize::MAX), None);
    assert_eq!(Geometry::of(isize::MAX as usize), None);
}
