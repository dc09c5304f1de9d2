//! Those who wait for a condition, and those who notify them.

use std::sync::atomic::AtomicBool;
use std::thread;

use shmkit::Shareable;
use shmkit::sync::{Condvar, Mutex, MutexGuard, named::Named};

use super::{Case, Deed, MORE, NAME, Signal, case, is_set};
use crate::place::Place;
use crate::sync::ledger::{PATIENCE, told};

/// Room for one thing: others notify each time that it is filled, and that it is emptied.
#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Basket {
    full: u64,
    put: u64,
    taken: u64,
    /// Whether the last one that there is was put.
    last: bool,
}

type Shop = (Mutex<Basket>, [Condvar; 2]);

pub(super) const CASES: &[Case] = &[
    case("take", "condvar: enlisted, not yet seen", 1),
    case("take", "condvar: waiting", 0),
    case("take", "condvar: notified, lock not yet taken", 0),
    case("take", "condvar: leaving", 1),
    case("take", "owner: freed, nobody woken", 0),
    case("put", "sleepers: word changed, nobody woken", 1),
    case("put", "condvar: notified, lock not yet taken", 0),
    case("put all", "sleepers: word changed, nobody woken", 1),
];

pub(super) const DEEDS: &[Deed] =
    &[("take", |_| for_ever(take)), ("put", |_| for_ever(put)), ("put all", |_| for_ever(put_all))];

fn for_ever(turn: fn(&Shop, &mut u32)) {
    let shop = Named::<Shop>::open(NAME).unwrap();
    loop {
        turn(&shop, &mut 0);
    }
}

/// The basket once it is full, or is not. Whoever dies with it has changed nothing in it.
fn basket<'a>(shop: &'a Shop, full: bool, deaths: &mut u32) -> MutexGuard<'a, Basket> {
    let mend = |(mut basket, died): (MutexGuard<'a, Basket>, bool), deaths: &mut u32| {
        if died {
            basket.mark_consistent();
            // Whom the dead one would have notified.
            shop.1.iter().for_each(|condition| condition.notify_all().unwrap());
            *deaths += 1;
        }
        assert_eq!(basket.put, basket.taken + basket.full, "{basket:?}");
        basket
    };
    let mut basket = mend(told(shop.0.lock_timeout(PATIENCE)), deaths);
    while (basket.full == 1) != full {
        let waited = shop.1[usize::from(full)].wait_timeout(basket, PATIENCE);
        let (guard, died) = match waited {
            Ok((guard, result)) => {
                assert!(!result.timed_out(), "a notification was lost");
                (guard, false)
            }
            Err(error) => {
                let (guard, result) = error.into_guard().unwrap();
                assert!(!result.timed_out(), "told of a death by its time");
                (guard, true)
            }
        };
        basket = mend((guard, died), deaths);
    }
    basket
}

fn take(shop: &Shop, deaths: &mut u32) {
    take_one(shop, deaths);
}

/// Whether it was the last one.
fn take_one(shop: &Shop, deaths: &mut u32) -> bool {
    let mut basket = basket(shop, true, deaths);
    (basket.full, basket.taken) = (0, basket.taken + 1);
    // With the lock: who dies before this is found dead with it.
    shop.1[0].notify_one().unwrap();
    basket.last
}

fn put(shop: &Shop, deaths: &mut u32) {
    let _basket = put_one(shop, deaths, false);
    shop.1[1].notify_one().unwrap();
}

fn put_all(shop: &Shop, deaths: &mut u32) {
    let _basket = put_one(shop, deaths, false);
    shop.1[1].notify_all().unwrap();
}

fn put_one<'a>(shop: &'a Shop, deaths: &mut u32, last: bool) -> MutexGuard<'a, Basket> {
    let mut basket = basket(shop, false, deaths);
    (basket.full, basket.put, basket.last) = (1, basket.put + 1, last);
    basket
}

#[test]
fn notifications_that_went_to_the_dead_or_were_given_by_them_are_others() {
    CASES.iter().for_each(survive);
}

/// One puts, another takes, while the child does one of these, and after its death.
fn survive(case: &Case) {
    let place = Place::new();
    let options = Named::<Shop>::options().directory(place.path());
    let [maker, buyer] =
        [(); 2].map(|()| options.open_or_create(NAME, (Basket::default(), [(); 2])).unwrap());
    let dead = AtomicBool::new(false);
    let news: u32 = thread::scope(|scope| {
        let makes = scope.spawn(|| {
            let mut deaths = 0;
            while !is_set(&dead) {
                put(&maker, &mut deaths);
            }
            (0..MORE).for_each(|_| put(&maker, &mut deaths));
            let _basket = put_one(&maker, &mut deaths, true);
            maker.1[1].notify_one().unwrap();
            deaths
        });
        let buys = scope.spawn(|| {
            let mut deaths = 0;
            while !take_one(&buyer, &mut deaths) {}
            deaths
        });
        let signal = Signal(&dead);
        case.strike(&place);
        drop(signal);
        makes.join().unwrap() + buys.join().unwrap()
    });
    assert_eq!(news, case.news, "deaths told of: {} at {:?}", case.deed, case.point);
}
