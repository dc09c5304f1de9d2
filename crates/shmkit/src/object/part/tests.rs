//! Which words are found by a schema, which parts are, and that a hostile one is bounded. The
//! words of the real kinds: `sync::group`.

use super::*;
use crate::memory::{Access, Trust};
use crate::object::choices::Choices;
use crate::object::header::Lifetime;
use crate::object::layout::NewObject;
use crate::object::planner::{Counts, Plan};
use crate::object::storage::for_each_wait_word;
use crate::object::{Name, ObjectFile, OpenObject, observe};

impl Part<'_> {
    /// Returns every word that can be slept on, by a schema, and whether it is to be closed.
    pub(crate) fn wait_words(text: &str) -> Vec<(u64, bool)> {
        let mut found = Vec::new();
        for_each_wait_word(&Schema::parse(text).unwrap(), &mut |place, closes| {
            found.push((place, closes));
        });
        found
    }
}

#[test]
fn no_word_of_a_value_is_found() {
    let value = "value@8:value#(16,8){wait@0:u64,sleep@8:[u64;1]}";
    let text = format!("mutex(128,128){{owner@0:wait#u64,{value},words@64:words#[u64;8]}}");
    assert_eq!(Part::wait_words(&text), [(0, true)]);
}

#[test]
fn a_hostile_schema_costs_no_more_than_the_words_that_it_has() {
    // 2^62 items without a word to wait on: none is examined.
    let many = "[[[(4,4){a@0:u32};1048576];1048576];1048576]";
    for role in ["", "wait#", "sleep#", "words#", "value#", "mutex#", "group#"] {
        let text = format!("group(4611686018427387904,4){{x@0:{role}{many}}}");
        assert!(Part::wait_words(&text).is_empty(), "{role}");
    }
    let scalars = "[[u32;1048576];1048576]";
    let text = format!("group(4398046511104,4){{x@0:words#{scalars}}}");
    assert!(Part::wait_words(&text).is_empty());

    // As deep as it can be, with one word at the bottom.
    let depth = crate::shareable::schema::MAX_DEPTH - 2;
    let nested = "[(8,8){x@0:";
    let text = format!(
        "group(8,8){{x@0:{}wait#u64{}}}",
        nested.repeat(depth / 2).replacen("x@0:", "x@0:group#", 3),
        "};1]".repeat(depth / 2),
    );
    assert_eq!(Part::wait_words(&text), [(0, true)]);
    assert!(Schema::parse(&text.replace("wait#u64", "wait#[[u64;1];1]")).is_err());
}

/// An object whose schema is `schema`.
fn object(directory: &tempfile::TempDir, kind: Kind, schema: &str) -> ObjectFile {
    let size = Schema::parse(schema).map_or(128, |schema| schema.size());
    let new = NewObject {
        plan: Plan {
            kind,
            counts: Counts::of(1),
            size: size.min(1 << 24).next_multiple_of(128),
            schema: schema.into(),
            fingerprint: 7,
        },
        initial: Box::new(|_| {}),
        flags: 0,
        access: Access::Owner,
        lifetime: Lifetime::Persistent,
        payload_max: None,
    };
    let choices = Choices { directory: Some(directory.path().into()), ..Choices::new() };
    let choices = Choices { trust: Trust::Own, ..choices };
    let name = Name::new("object").unwrap();
    drop(OpenObject::create(&name, &choices, &new).unwrap());
    observe(&name, &choices).unwrap()
}

/// The numbers of the parts that are found, and where they are.
fn numbered(kind: Kind, schema: &str) -> Result<Vec<(String, u64)>> {
    let directory = tempfile::tempdir().unwrap();
    let storage = object(&directory, kind, schema);
    let schema = Schema::parse(schema).unwrap();
    let found = parts(&storage, &schema)?;
    Ok(found.into_iter().map(|part| (part.number, part.offset)).collect())
}

#[test]
fn words_are_found_at_any_depth() {
    let pair = "(256,128){a@0:wait#u64,b@128:sleep#[u64;2],c@144:words#u64}";
    let text =
        format!("g(1024,128){{0@0:once#[x{pair};2],1@512:group#y(512,128){{z@0:a#{pair}}}}}");
    let expected = [0, 256, 512].map(|at| [(at, true), (at + 128, false), (at + 136, false)]);
    assert_eq!(Part::wait_words(&text), expected.concat());
}

#[test]
fn parts_are_numbered_and_found_at_their_places() {
    let once = "once(128,128){a@0:wait#u64}";
    let mutex = "mutex(256,128){a@0:wait#u64}";
    let pair = format!("group(384,128){{0@0:once#{once},1@128:mutex#{mutex}}}");
    let pairs = format!("group(768,128){{0@0:group#[{pair};2]}}");
    let text = format!("group(1024,128){{0@0:mutex#{mutex},1@256:group#{pairs}}}");
    let expected = [("0", 0), ("1.0.0", 256), ("1.0.1", 384), ("1.1.0", 640), ("1.1.1", 768)];
    let found = numbered(Kind::Group, &text).unwrap();
    assert_eq!(found, expected.map(|(number, place)| (number.to_string(), place)));
    assert_eq!(numbered(Kind::Once, once).unwrap(), [(String::new(), 0)]);
    // A field whose role is that of no kind is none.
    let text = format!("group(256,128){{0@0:words#u64,1@128:once#{once}}}");
    assert_eq!(numbered(Kind::Group, &text).unwrap(), [("1".to_string(), 128)]);
}

#[test]
fn of_many_parts_the_first_ones_are_found() {
    let text =
        |count| format!("group({0},8){{0@0:once#[once(8,8){{a@0:wait#u64}};{count}]}}", 8 * count);
    assert_eq!(numbered(Kind::Group, &text(MAX_PARTS)).unwrap().len(), MAX_PARTS);
    let found = numbered(Kind::Group, &text(MAX_PARTS + 1)).unwrap();
    assert_eq!(found.len(), MAX_PARTS);
    assert_eq!(found.last().unwrap().0, (MAX_PARTS - 1).to_string());
}

#[test]
fn a_hostile_schema_of_parts_is_bounded() {
    // More groups than are examined, with no part inside; behind them there is one.
    let groups = 2 * MAX_LOOKS;
    let text = format!(
        "group({},8){{0@0:group#[group(1,1){{x@0:u8}};{groups}],1@{groups}:once#once(8,8){{a@0:wait#u64}}}}",
        groups + 8,
    );
    assert_eq!(numbered(Kind::Group, &text).unwrap(), []);
    // Larger than the payload.
    let text = "group(1099511627776,8){0@0:once#[once(8,8){a@0:wait#u64};137438953472]}";
    assert_eq!(numbered(Kind::Group, text).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(numbered(Kind::Mutex, "u64").unwrap_err().kind(), ErrorKind::Corrupt);
}
