//! Several primitives in one object: tuples and arrays.

use super::parts::{Builder, Planner, sealed::Parts};
use crate::error::Result;
use crate::object::Kind;

macro_rules! group {
    ($($member:ident $number:tt),+) => {
        #[allow(private_interfaces, reason = "nobody else makes primitives")]
        impl<$($member: Parts),+> Parts for ($($member,)+) {
            type Initial = ($($member::Initial,)+);
            const KIND: Kind = Kind::Group;

            fn plan(planner: &mut Planner, initial: Option<&Self::Initial>) {
                $(planner.member::<$member>($number, initial.map(|it| &it.$number));)+
            }

            fn build(builder: &mut Builder) -> Result<Self> {
                Ok(($($member::build(builder)?,)+))
            }

            fn check_initial(initial: &Self::Initial) -> Result<()> {
                $($member::check_initial(&initial.$number)?;)+
                Ok(())
            }

            fn check(&self, initial: &Self::Initial) -> Result<()> {
                $(self.$number.check(&initial.$number)?;)+
                Ok(())
            }
        }
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

#[allow(private_interfaces, reason = "nobody else makes primitives")]
impl<P: Parts, const N: usize> Parts for [P; N] {
    type Initial = [P::Initial; N];
    const KIND: Kind = Kind::Group;

    fn plan(planner: &mut Planner, initial: Option<&Self::Initial>) {
        for number in 0..N {
            planner.member::<P>(number, initial.map(|it| &it[number]));
        }
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let members = (0..N).map(|_| P::build(builder)).collect::<Result<Vec<P>>>()?;
        Ok(members.try_into().unwrap_or_else(|_| unreachable!("as many as there are numbers")))
    }

    fn check_initial(initial: &Self::Initial) -> Result<()> {
        initial.iter().try_for_each(P::check_initial)
    }

    fn check(&self, initial: &Self::Initial) -> Result<()> {
        self.iter().zip(initial).try_for_each(|(member, initial)| member.check(initial))
    }
}
