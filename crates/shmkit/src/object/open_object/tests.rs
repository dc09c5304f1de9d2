use std::fs;
use std::path::Path;

use super::*;
use crate::memory::Access;
use crate::object::Lifetime;
use crate::object::kind::Kind;
use crate::object::named_object::remove;
use crate::object::planner::{Counts, Plan};

fn contents() -> NewObject<'static> {
    new_object(&Choices::new())
}

/// What an object with these options consists of.
fn new_object(choices: &Choices) -> NewObject<'static> {
    NewObject {
        plan: Plan {
            kind: Kind::Latest,
            counts: Counts {
                items: 3,
                item_length: 5,
                ..Counts::of(choices.participants.unwrap_or(16))
            },
            size: 1024,
            schema: "latest(1024,128){latest@0:wait#u64,owner@128:wait#u64}".into(),
            fingerprint: 7,
        },
        initial: Box::new(|_| {}),
        flags: choices.flags(),
        access: choices.access.unwrap_or(Access::Owner),
        lifetime: choices.lifetime.unwrap_or(Lifetime::Persistent),
        payload_max: None,
    }
}

fn options(directory: &tempfile::TempDir) -> Choices {
    Choices { directory: Some(directory.path().into()), ..Choices::new() }
}

fn while_used(directory: &tempfile::TempDir) -> Choices {
    Choices { lifetime: Some(Lifetime::WhileUsed), ..options(directory) }
}

fn name() -> Name {
    Name::new("robot/pose").unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn kind_of<T>(answer: Result<T>) -> ErrorKind {
    answer.err().expect("an error").kind()
}

#[test]
fn what_one_creates_another_opens_with_every_part_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let made = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    assert_eq!(files(directory.path()), ["robot%2fpose.shmkit"]);
    let opened =
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).unwrap();
    assert_eq!(opened.layout().object_id, made.layout().object_id);
    assert_eq!(
        (opened.layout().schema.as_str(), opened.layout().fingerprint),
        (contents().plan.schema.as_str(), 7)
    );
    assert_eq!((opened.layout().items, opened.layout().item_length), (3, 5));
    made.payload().word(16).unwrap().store(5, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(opened.payload().word(16).unwrap().load(std::sync::atomic::Ordering::Relaxed), 5);
    let again = OpenObject::create(&name(), &options(&directory), &contents());
    assert_eq!(kind_of(again), ErrorKind::AlreadyExists);
    assert_eq!(made.locks.count_handles().unwrap(), 1, "besides its own");
}

#[test]
fn an_object_for_use_only_goes_with_its_last_user() {
    let directory = tempfile::tempdir().unwrap();
    let new = || Ok(new_object(&while_used(&directory)));
    let first =
        OpenObject::open_or_create(&name(), &while_used(&directory), |_| Ok(()), new).unwrap();
    assert!(first.was_created());
    let second =
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).unwrap();
    assert!(!second.was_created());
    drop(first);
    assert_eq!(files(directory.path()).len(), 1);
    drop(second);
    assert!(files(directory.path()).is_empty());
}

#[test]
fn a_removed_object_is_closed_to_who_still_has_it_and_its_name_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let old = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    remove("robot/pose", &options(&directory)).unwrap();
    assert_eq!(kind_of(old.check_not_removed()), ErrorKind::Closed);
    assert_eq!(kind_of(remove("robot/pose", &options(&directory))), ErrorKind::NotFound);
    let new = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    assert_ne!(new.layout().object_id, old.layout().object_id);
    drop(old);
    assert_eq!(files(directory.path()).len(), 1, "the old handle leaves the new object alone");
}

#[test]
fn options_that_differ_are_refused_with_both_values() {
    let directory = tempfile::tempdir().unwrap();
    let _made = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    let asked = Choices { participants: Some(3), ..options(&directory) };
    let new = || Ok(new_object(&asked));
    let error = OpenObject::open_or_create(&name(), &asked, |_| Ok(()), new).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::WrongOptions);
    assert!(error.to_string().contains("participants is 3 here and 16 in the object"), "{error}");
}

#[test]
fn traps_under_the_name_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("robot%2fpose.shmkit");
    let open = || {
        OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).err().unwrap()
    };

    fs::create_dir(&path).unwrap();
    assert!(open().to_string().contains("it is a directory"), "{}", open());
    fs::remove_dir(&path).unwrap();

    fs::write(&path, b"").unwrap();
    assert_eq!(open().kind(), ErrorKind::WrongKind);
    assert!(open().to_string().contains("not a shmkit object"), "{}", open());
    fs::remove_file(&path).unwrap();

    drop(OpenObject::create(&name(), &options(&directory), &contents()).unwrap());
    fs::hard_link(&path, directory.path().join("elsewhere")).unwrap();
    assert!(open().to_string().contains("its file has 2 names"), "{}", open());
    fs::remove_file(directory.path().join("elsewhere")).unwrap();

    fs::rename(&path, directory.path().join("lie.shmkit")).unwrap();
    let lie = OpenObject::open(
        &Name::new("lie").unwrap(),
        &options(&directory),
        OpenMode::WritableIfAllowed,
    );
    let error = lie.err().unwrap();
    assert!(error.to_string().contains(r#"has the name "robot/pose""#), "{error}");
}

#[test]
fn every_garbled_byte_of_the_description_is_an_error_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    drop(OpenObject::create(&name(), &options(&directory), &contents()).unwrap());
    let path = directory.path().join("robot%2fpose.shmkit");
    let whole = fs::read(&path).unwrap();
    for garbage in [0x00, 0x01, 0x7f, 0x80, 0xff] {
        // All that the checksum covers, the checksum, and the state word.
        for place in (0..180).chain(192..200) {
            let mut spoilt = whole.clone();
            // A state of 2 has a meaning: retired.
            if spoilt[place] == garbage {
                continue;
            }
            spoilt[place] = garbage;
            fs::write(&path, &spoilt).unwrap();
            let answer =
                OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed);
            assert!(answer.is_err(), "byte {place} set to {garbage:#x} was believed");
        }
    }
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let kind =
            kind_of(OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed));
        let expected = if length < 8 { ErrorKind::WrongKind } else { ErrorKind::Corrupt };
        assert_eq!(kind, expected, "cut to {length} bytes");
    }
    fs::write(&path, &whole).unwrap();
    OpenObject::open(&name(), &options(&directory), OpenMode::WritableIfAllowed).unwrap();
}

#[test]
fn a_handle_that_takes_a_slot_knows_its_place_among_the_participants() {
    let directory = tempfile::tempdir().unwrap();
    let made = OpenObject::create(&name(), &options(&directory), &contents()).unwrap();
    let places = [0, 1].map(|_| {
        let me = made.claim_slot(Role::Writer, Until::Now).unwrap();
        assert_eq!(made.notices.place(), u64::from(me.slot()));
        made.notices.place()
    });
    assert_ne!(places[0], places[1]);
}

#[cfg(unix)]
#[path = "../../../tests/skipping/mod.rs"]
mod skipping;
#[cfg(unix)]
mod unix;
