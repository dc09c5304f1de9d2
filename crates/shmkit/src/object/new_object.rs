//! What a new object of a type consists of.

use super::choices::Choices;
use super::header::Lifetime;
use super::layout::NewObject;
use super::new_file;
use super::payload::Payload;
use super::planner::{Counts, Plan, Planner};
use crate::error::Result;
use crate::memory::Access;

/// The flags of a new object of `P` in a file.
pub(crate) fn file_flags<P: Payload>(choices: &Choices) -> Result<u32> {
    let proves =
        P::DISK_FLAGS != 0 && new_file::is_on_disk(&choices.directory(), choices.lifetime)?;
    Ok(choices.flags() | if proves { P::DISK_FLAGS } else { 0 })
}

/// Plans the parts of a new object with what they begin with.
pub(super) type First<'a> = &'a dyn Fn(&mut Planner<'_>);

/// What a new object of `P` with these flags consists of, and what `first` plans.
pub(super) fn new_of<'a, P: Payload>(
    choices: &Choices,
    initial: &P::Initial,
    flags: u32,
    first: First<'a>,
) -> Result<NewObject<'a>> {
    P::check_initial(initial)?;
    let begun_with = Some(P::items(initial)?).filter(|items| *items > 0);
    let items = choices
        .items
        .or(begun_with)
        .unwrap_or_else(|| P::default_items(P::item_length(choices.item_length)));
    Ok(new_object::<P>(choices, items, flags, &|to| P::plan(to, None), first))
}

/// A new object of the kind of `P`: `plan` names its parts, and `first` also what they begin with.
pub(crate) fn new_object<'a, P: Payload>(
    choices: &Choices,
    items: u32,
    flags: u32,
    plan: &dyn Fn(&mut Planner<'_>),
    first: impl Fn(&mut Planner<'_>) + 'a,
) -> NewObject<'a> {
    let counts = Counts {
        participants: choices.participants.unwrap_or(P::PARTICIPANTS),
        items,
        item_length: P::item_length(choices.item_length),
    };
    NewObject {
        plan: Plan::new(P::KIND, counts, &|to| plan(to.with_flags(flags))),
        initial: Box::new(move |to| first(to.with_flags(flags))),
        flags,
        access: choices.access.unwrap_or(Access::Owner),
        lifetime: choices.lifetime.unwrap_or(Lifetime::Persistent),
        payload_max: None,
    }
}
