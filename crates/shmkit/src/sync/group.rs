//! Several primitives in one object: tuples, arrays, and boxed slices.
#![allow(unsafe_code, reason = "zeros that are completed in place")]

use crate::error::{Error, ErrorKind, Result};
use crate::object::{Builder, Kind, Payload, Planner, Primitive};

/// The most items of a boxed slice.
const MAX_ITEMS: usize = 1 << 20;

macro_rules! group {
    ($($member:ident $number:tt),+) => {
        #[allow(private_interfaces, reason = "it is implemented by this library only")]
        impl<$($member: Primitive),+> Payload for ($($member,)+) {
            type Initial = ($($member::Initial,)+);

            const KIND: Kind = Kind::Group;
            const ZEROS_ARE_INITIAL: bool = $($member::ZEROS_ARE_INITIAL)&&+;

            unsafe fn complete_zeros(zeros: *mut Self::Initial) {
                // SAFETY: the caller's promise holds for each field.
                $(unsafe { $member::complete_zeros(&raw mut (*zeros).$number) };)+
            }

            fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>) {
                $(planner.member($number, $member::KIND, &|planner| {
                    $member::plan(planner, initial.map(|it| &it.$number));
                });)+
            }

            fn build(builder: &mut Builder) -> Result<Self> {
                Ok(($($member::build(builder)?,)+))
            }

            fn check_initial(initial: &Self::Initial) -> Result<()> {
                $($member::check_initial(&initial.$number)?;)+
                Ok(())
            }

            fn check_begun_with(&self, initial: &Self::Initial) -> Result<()> {
                $(self.$number.check_begun_with(&initial.$number)?;)+
                Ok(())
            }
        }

        impl<$($member: Primitive),+> Primitive for ($($member,)+) {}
    };
}

group!(A 0);
group!(A 0, B 1);
group!(A 0, B 1, C 2);
group!(A 0, B 1, C 2, D 3);
group!(A 0, B 1, C 2, D 3, E 4);
group!(A 0, B 1, C 2, D 3, E 4, F 5);
group!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
group!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<P: Primitive, const N: usize> Payload for [P; N] {
    type Initial = [P::Initial; N];

    const KIND: Kind = Kind::Group;
    const ZEROS_ARE_INITIAL: bool = P::ZEROS_ARE_INITIAL;

    unsafe fn complete_zeros(zeros: *mut Self::Initial) {
        for index in 0..N {
            // SAFETY: one of the `N` items.
            let item = unsafe { zeros.cast::<P::Initial>().add(index) };
            // SAFETY: the caller's promise holds for each item.
            unsafe { P::complete_zeros(item) };
        }
    }

    fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>) {
        const { assert!(N > 0, "an object has at least one part") };
        planner.array(0, P::KIND, N, &|planner, index| {
            P::plan(planner, initial.map(|it| &it[index]));
        });
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let items = build_items(builder, N)?;
        Ok(items.try_into().unwrap_or_else(|_| unreachable!("as many as were built")))
    }

    fn check_initial(initial: &Self::Initial) -> Result<()> {
        initial.iter().try_for_each(P::check_initial)
    }

    fn check_begun_with(&self, initial: &Self::Initial) -> Result<()> {
        self.iter().zip(initial).try_for_each(|(item, initial)| item.check_begun_with(initial))
    }
}

impl<P: Primitive, const N: usize> Primitive for [P; N] {}

/// Primitives of one type, whose number is chosen at run time. The object keeps the number.
///
/// It is the only payload of its object, and no part of a tuple or an array.
#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<P: Primitive> Payload for Box<[P]> {
    type Initial = Vec<P::Initial>;

    const KIND: Kind = Kind::Group;
    const HAS_ITEMS: bool = true;

    fn plan(planner: &mut Planner<'_>, initial: Option<&Self::Initial>) {
        let count = planner.items() as usize;
        planner.array(0, P::KIND, count, &|planner, index| {
            P::plan(planner, initial.map(|it| &it[index]));
        });
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let count = builder.items() as usize;
        Ok(build_items(builder, count)?.into())
    }

    fn items(initial: &Self::Initial) -> Result<u32> {
        let count = initial.len();
        if !(1..=MAX_ITEMS).contains(&count) {
            let why = format!("{count} items were asked for; 1 to {MAX_ITEMS} are allowed");
            return Err(Error::new(ErrorKind::InvalidArgument, why));
        }
        Ok(count as u32)
    }

    fn check_initial(initial: &Self::Initial) -> Result<()> {
        initial.iter().try_for_each(P::check_initial)
    }

    fn check_begun_with(&self, initial: &Self::Initial) -> Result<()> {
        self.iter().zip(initial).try_for_each(|(item, initial)| item.check_begun_with(initial))
    }
}

fn build_items<P: Primitive>(builder: &mut Builder, count: usize) -> Result<Vec<P>> {
    (0..count).map(|_| P::build(builder)).collect()
}

#[cfg(all(test, not(loom)))]
mod tests;
