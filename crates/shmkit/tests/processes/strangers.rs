//! Users who may only read, or nothing at all.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use shmkit::inspect::Condition;
use shmkit::memory::Trust;
use shmkit::{Access, AnyLatest, ErrorKind, Latest, LatestOptions, Lifetime};

use crate::children::{Child, Link};
use crate::place::{Place, cannot_be_tried, kind};

const NAME: &str = "level";
const SOON: Duration = Duration::from_secs(30);
const NOBODY: u32 = 65534;

/// Becomes a user without any rights, and says whether it did.
pub(crate) fn become_a_stranger(link: &mut Link) {
    // SAFETY: takes no pointer: no groups beside the one that follows.
    let done = unsafe { libc::setgroups(0, std::ptr::null()) } == 0
        // SAFETY: changes who this process is; no memory is involved.
        && unsafe { libc::setgid(NOBODY) } == 0
        // SAFETY: as above.
        && unsafe { libc::setuid(NOBODY) } == 0;
    link.say(if done { "a stranger" } else { "cannot become another" });
}

/// Becomes a user without any rights, and does what it is told.
pub(crate) fn stranger(link: &mut Link) {
    become_a_stranger(link);
    let mut opened = None;
    loop {
        let word = link.hear();
        let (word, name) = word.split_once(' ').unwrap_or((&word, ""));
        let answer = match word {
            "open" => Latest::<u64>::open(name).map(|it| opened = Some(it)),
            "create" => Latest::<u64>::create(name).map(drop),
            "take" => for_all().open_or_create(name).map(drop),
            "remove" => Latest::<u64>::remove(name),
            "get" => opened.as_ref().unwrap().get().map(|value| link.say(value)),
            "next" => opened.as_ref().unwrap().changes().next_timeout(SOON).map(|v| link.say(v)),
            "write" => opened.as_ref().unwrap().writer().map(drop),
            other => unreachable!("{other}"),
        };
        match answer {
            Ok(()) if ["get", "next"].contains(&word) => {}
            Ok(()) => link.say("done"),
            Err(error) => link.say(format!("{:?}: {error}", error.kind())),
        }
    }
}

/// For use only, by everyone.
fn for_all() -> LatestOptions<u64> {
    Latest::options().access(Access::Everyone).lifetime(Lifetime::WhileUsed)
}

/// Makes an object for use only, and waits for its death.
pub(crate) fn abandoner(link: &mut Link) {
    let _abandoned = for_all().create(NAME).unwrap();
    link.say("made");
    link.hear();
}

/// A place that all may write to, as `/dev/shm` is, and a stranger in it.
fn with_stranger() -> Option<(Place, Child)> {
    with_stranger_who_is("stranger")
}

/// The same, in a role that begins with [`become_a_stranger`].
pub(crate) fn with_stranger_who_is(role: &str) -> Option<(Place, Child)> {
    let place = Place::new();
    let mode = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(place.path(), mode).unwrap();
    let mut child = Child::start(&place, role, "");
    if child.hear() != "a stranger" {
        cannot_be_tried("another user: only root can become one");
        return None;
    }
    Some((place, child))
}

#[track_caller]
pub(crate) fn refused(answer: &str, words: &str) {
    assert!(answer.starts_with("PermissionDenied: ") && answer.contains(words), "{answer}");
}

#[test]
fn a_peer_that_may_only_read_gets_waits_and_changes_nothing() {
    let Some((place, mut child)) = with_stranger() else { return };
    let options = place.of::<u64>().access(Access::Everyone).read_only_peers(true);
    let latest = options.create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    assert_eq!(child.ask(format!("open {NAME}")), "done");
    assert_eq!(child.ask("get"), "1");
    assert_eq!(place.describe(NAME).readers, 1);
    refused(&child.ask("write"), "open for reading alone");
    refused(&child.ask(format!("remove {NAME}")), "its file is user 0's");
    child.say("next");
    let mut number = 2;
    // Until the stranger has begun to wait nothing that is set is a change to him.
    let heard = std::thread::scope(|scope| {
        let heard = scope.spawn(|| child.hear());
        while !heard.is_finished() {
            writer.set(&number).unwrap();
            number += 1;
            std::thread::yield_now();
        }
        heard.join().unwrap()
    });
    assert!((2..number).contains(&heard.parse().unwrap()), "{heard}");
    child.kill();
    assert_eq!(place.describe(NAME).readers, 0);
    assert_eq!(place.repair(), [""; 0], "a reader holds nothing");
}

#[test]
fn a_stranger_is_refused_what_is_not_for_him() {
    let Some((place, mut child)) = with_stranger() else { return };
    let latest = place.of::<u64>().create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    refused(&child.ask(format!("open {NAME}")), r#"cannot open "level""#);
    refused(&child.ask(format!("remove {NAME}")), r#"cannot remove "level""#);
    assert!(child.ask(format!("create {NAME}")).starts_with("AlreadyExists: "));
    assert_eq!(child.ask("create his"), "done");
    // And nobody walks into what he has made.
    let error = place.of::<u64>().open("his").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("belongs to user 65534"), "{error}");
    let trusting = AnyLatest::open(Some(place.path()), "his", Trust::User(NOBODY));
    assert_eq!(kind(trusting.unwrap().get()), ErrorKind::Empty);
}

#[test]
fn a_stale_object_in_a_sticky_directory_is_its_owner_s_to_remove() {
    let Some((place, mut child)) = with_stranger() else { return };
    let mut abandoner = Child::start(&place, "abandoner", "");
    assert_eq!(abandoner.hear(), "made");
    assert_eq!(child.ask(format!("take {NAME}")), "done", "it is for everyone");
    refused(&child.ask(format!("remove {NAME}")), "its file is user 0's");
    assert_eq!(place.describe(NAME).condition, Condition::Ready, "nothing was begun");
    abandoner.kill();
    for _ in 0..2 {
        refused(&child.ask(format!("take {NAME}")), "its file is user 0's");
        assert_eq!(place.files(), ["level.shmkit"]);
    }
    for_all().directory(place.path()).open_or_create(NAME).expect("the owner");
    assert_eq!(place.files(), [""; 0]);
}
