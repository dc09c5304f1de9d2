//! Names: what can be created and opened under them, and what is refused, with which words.

use std::sync::Barrier as Start;

use shmkit::sync::named::{self, Named};
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, NoData, Once, Primitive, ReentrantMutex, Reset, RwLock,
    Semaphore,
};
use shmkit::{Access, ErrorKind, Kind, Latest, Lifetime, Shareable};

use crate::place::{Place, kind, refused};

const NAME: &str = "plant/thing";

/// Something that is done with a primitive, of whatever kind.
trait Deed {
    fn on<P: Primitive<Initial: Send>>(&self, kind: Kind, initial: &dyn Fn() -> P::Initial);
}

fn for_each_kind(deed: &impl Deed) {
    deed.on::<Mutex<u64>>(Kind::Mutex, &|| 7);
    deed.on::<ReentrantMutex<u64>>(Kind::ReentrantMutex, &|| 7);
    deed.on::<RwLock<u64>>(Kind::RwLock, &|| 7);
    deed.on::<Condvar>(Kind::Condvar, &|| ());
    deed.on::<Semaphore>(Kind::Semaphore, &|| 7);
    deed.on::<Event>(Kind::Event, &|| Reset::Manual);
    deed.on::<Barrier>(Kind::Barrier, &|| 7);
    deed.on::<Latch>(Kind::Latch, &|| 7);
    deed.on::<Once>(Kind::Once, &|| ());
    deed.on::<(Mutex<u64>, Condvar)>(Kind::Group, &|| (7, ()));
    deed.on::<[Event; 2]>(Kind::Group, &|| [Reset::Manual; 2]);
}

struct CreateAndOpen;

impl Deed for CreateAndOpen {
    fn on<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        let place = Place::new();
        let options = place.of::<P>();
        refused(options.open(NAME), ErrorKind::NotFound, r#"cannot open "plant/thing": "#);
        assert_eq!(kind(options.remove(NAME)), ErrorKind::NotFound);
        let first = options.create(NAME, initial()).unwrap();
        assert_eq!(first.name(), NAME);
        refused(
            options.create(NAME, initial()),
            ErrorKind::AlreadyExists,
            r#"cannot create "plant/thing": an object has this name"#,
        );
        let others = [options.open(NAME), options.open_or_create(NAME, initial())];
        assert!(others.into_iter().all(|it| it.unwrap().name() == NAME));
        drop(first);
        options.open(NAME).expect("it stays until it is removed");
        options.remove(NAME).unwrap();
        assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound);
        options.open_or_create(NAME, initial()).unwrap();
        options.open(NAME).expect("that one was created");
        options.clone().remove(NAME).unwrap();
        refused(options.create("a//b", initial()), ErrorKind::InvalidName, "an empty part");
        assert_eq!(kind(options.open("")), ErrorKind::InvalidName);
        assert_eq!(kind(options.open_or_create("/a", initial())), ErrorKind::InvalidName);
    }
}

#[test]
fn each_kind_is_created_opened_and_created_where_there_is_none() {
    for_each_kind(&CreateAndOpen);
}

struct OpenOther<'a> {
    place: &'a Place,
    there: Kind,
}

impl Deed for OpenOther<'_> {
    fn on<P: Primitive<Initial: Send>>(&self, asked: Kind, initial: &dyn Fn() -> P::Initial) {
        if asked == self.there {
            return;
        }
        let options = self.place.of::<P>();
        let (found, wanted) = (self.there.as_str(), asked.as_str());
        let words = format!("it is of kind {found}, and {wanted} was asked for");
        refused(options.open(NAME), ErrorKind::WrongKind, &words);
        refused(options.open_or_create(NAME, initial()), ErrorKind::WrongKind, &words);
        assert_eq!(kind(options.create(NAME, initial())), ErrorKind::AlreadyExists);
    }
}

struct BeOpenedAsOther;

impl Deed for BeOpenedAsOther {
    fn on<P: Primitive<Initial: Send>>(&self, there: Kind, initial: &dyn Fn() -> P::Initial) {
        let place = Place::new();
        let _it = place.of::<P>().create(NAME, initial()).unwrap();
        for_each_kind(&OpenOther { place: &place, there });
        let latest = Latest::<u64>::options().directory(place.path());
        let words = format!("it is of kind {}, and latest was asked for", there.as_str());
        refused(latest.open(NAME), ErrorKind::WrongKind, &words);
        refused(latest.open_or_create(NAME), ErrorKind::WrongKind, &words);
        assert_eq!(kind(latest.create(NAME)), ErrorKind::AlreadyExists);
    }
}

#[test]
fn kinds_share_one_name_space_and_the_error_names_the_kind_found() {
    for_each_kind(&BeOpenedAsOther);
    let place = Place::new();
    let _latest = Latest::<u64>::options().directory(place.path()).create(NAME).unwrap();
    for_each_kind(&OpenOther { place: &place, there: Kind::Latest });
}

struct Race;

impl Deed for Race {
    fn on<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        for _ in 0..20 {
            let place = Place::new();
            let start = Start::new(3);
            std::thread::scope(|scope| {
                let created = [(); 3].map(|()| {
                    let (options, initial) = (place.of::<P>(), [initial(), initial()]);
                    let start = &start;
                    scope.spawn(move || {
                        let [first, second] = initial;
                        start.wait();
                        let created = options.create(NAME, first).is_ok();
                        options.open_or_create(NAME, second).expect("one has created it");
                        created
                    })
                });
                let created = created.map(|it| it.join().unwrap());
                assert_eq!(created.into_iter().filter(|it| *it).count(), 1);
            });
        }
    }
}

#[test]
fn of_those_who_race_to_create_one_does() {
    for_each_kind(&Race);
}

struct FillUp;

impl Deed for FillUp {
    fn on<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        let place = Place::new();
        let options = place.of::<P>().max_participants(3);
        let mut handles = vec![options.create(NAME, initial()).unwrap()];
        handles.extend([options.open(NAME), place.of::<P>().open(NAME)].map(Result::unwrap));
        refused(options.open(NAME), ErrorKind::Full, "all 3 places are taken");
        assert_eq!(kind(options.open_or_create(NAME, initial())), ErrorKind::Full);
        drop(handles.swap_remove(1));
        handles.push(options.open(NAME).expect("a place is free"));
        let words = "the most participants is 4 here and 3 in the object";
        let four = place.of::<P>().max_participants(4);
        refused(four.open(NAME), ErrorKind::WrongOptions, words);
        refused(four.open_or_create(NAME, initial()), ErrorKind::WrongOptions, words);
    }
}

#[test]
fn there_are_as_many_places_as_the_creator_chose() {
    for_each_kind(&FillUp);
    let place = Place::new();
    for participants in [0, 1025] {
        let options = place.of::<Mutex>().max_participants(participants);
        let answer = options.create(NAME, NoData::default());
        assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    }
    let most = place.of::<RwLock<u64>>().max_participants(1024);
    let most = [most.create(NAME, 1).unwrap(), most.open(NAME).unwrap()];
    assert_eq!(*most[1].read().unwrap(), 1);
}

#[test]
fn other_numbers_than_the_object_began_with_are_refused_with_both() {
    let place = Place::new();
    let _all = (
        place.of::<Semaphore>().create("semaphore", 3).unwrap(),
        place.of::<Barrier>().create("barrier", 3).unwrap(),
        place.of::<Latch>().create("latch", 3).unwrap(),
        place.of::<(Mutex<u64>, [Semaphore; 2])>().create("group", (1, [2, 3])).unwrap(),
    );
    let words = "the number of permits at first is 4 here and 3 in the object";
    let answer = place.of::<Semaphore>().open_or_create("semaphore", 4);
    refused(answer, ErrorKind::WrongOptions, words);
    let answer = place.of::<(Mutex<u64>, [Semaphore; 2])>().open_or_create("group", (1, [2, 4]));
    refused(answer, ErrorKind::WrongOptions, words);
    let words = "the number of parties is 4 here and 3 in the object";
    let answer = place.of::<Barrier>().open_or_create("barrier", 4);
    refused(answer, ErrorKind::WrongOptions, words);
    refused(place.of::<Latch>().open_or_create("latch", 4), ErrorKind::WrongOptions, words);
    // How many there are by now does not matter, nor does a value.
    let semaphore = place.of::<Semaphore>().open("semaphore").unwrap();
    semaphore.consume().unwrap();
    place.of::<Semaphore>().open_or_create("semaphore", 3).unwrap();
    place.of::<(Mutex<u64>, [Semaphore; 2])>().open_or_create("group", (9, [2, 3])).unwrap();
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    heading: f32,
    parked: bool,
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Turned {
    stamp_ns: u64,
    heading: f64,
    parked: bool,
}

#[test]
fn another_type_is_refused_with_the_first_field_that_differs() {
    let place = Place::new();
    let _mutex = place.of::<Mutex<Pose>>().create("mutex", Pose::default()).unwrap();
    let _lock = place.of::<RwLock<Pose>>().create("rwlock", Pose::default()).unwrap();
    let wrong = |answer: shmkit::Result<()>| refused(answer, ErrorKind::WrongType, "heading");
    wrong(place.of::<Mutex<Turned>>().open("mutex").map(drop));
    wrong(place.of::<RwLock<Turned>>().open("rwlock").map(drop));
    wrong(place.of::<Mutex<Turned>>().open_or_create("mutex", Turned::default()).map(drop));
    let error = place.of::<Mutex<Turned>>().open("mutex").unwrap_err().to_string();
    assert!(error.starts_with(r#"cannot open "mutex": "#), "{error}");
    assert!(error.contains("f32") && error.contains("f64"), "{error}");
    assert_eq!(kind(place.of::<Mutex<u64>>().open("mutex")), ErrorKind::WrongType);
    assert_eq!(kind(place.of::<Mutex>().open("mutex")), ErrorKind::WrongType);

    let _group = place.of::<(Mutex<u64>, Condvar)>().create("group", (1, ())).unwrap();
    assert_eq!(kind(place.of::<(Mutex<u64>,)>().open("group")), ErrorKind::WrongType);
    assert_eq!(kind(place.of::<(Condvar, Mutex<u64>)>().open("group")), ErrorKind::WrongType);
    assert_eq!(kind(place.of::<(Mutex<u32>, Condvar)>().open("group")), ErrorKind::WrongType);
    let wider = place.of::<(Mutex<u64>, Condvar, Once)>().open_or_create("group", (1, (), ()));
    assert_eq!(kind(wider), ErrorKind::WrongType);
    place.of::<(Mutex<u64>, Condvar)>().open("group").unwrap();
}

#[test]
fn what_is_chosen_must_be_so_and_what_is_not_chosen_is_not_compared() {
    let place = Place::new();
    let options = place.of::<Semaphore>().lifetime(Lifetime::WhileUsed).access(Access::Everyone);
    let semaphore = options.create(NAME, 1).unwrap();
    place.of::<Semaphore>().open(NAME).unwrap();
    let other = place.of::<Semaphore>().lifetime(Lifetime::Persistent);
    let words = "lifetime is persistent here and while used in the object";
    refused(other.open(NAME), ErrorKind::WrongOptions, words);
    let other = place.of::<Semaphore>().access(Access::Owner);
    assert_eq!(kind(other.open_or_create(NAME, 1)), ErrorKind::WrongOptions);
    drop(semaphore);
    assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound, "it went with its last handle");
}

#[test]
fn what_was_removed_is_another_s_name_and_the_old_ones_share_on() {
    let place = Place::new();
    let options = place.of::<Mutex<u64>>();
    let [old, other] = place.two::<Mutex<u64>>(NAME, 1);
    let guard = old.lock().unwrap();
    options.remove(NAME).unwrap();
    let new = place.of::<Semaphore>().create(NAME, 1).expect("of any kind");
    drop(guard);
    assert_eq!(kind(other.lock()), ErrorKind::Closed);
    drop((old, other));
    drop(new.acquire().unwrap());
    assert_eq!(place.of::<Semaphore>().open(NAME).unwrap().available(), 1);
}

#[test]
fn the_aliases_are_the_same_things() {
    let place = Place::new();
    let named: named::Mutex<u64> = place.of().create(NAME, 1).unwrap();
    let same: Named<Mutex<u64>> = named;
    assert!(format!("{same:?}").contains(NAME));
}
