//! How long requests and responses can be: both in one number of the header, and of the options.
//!
//! ```text
//! item_length  63 responses 32 | 31 requests 0     the most elements of a list; 0: one value
//! ```
//!
//! In the options, 0 is a length that was not chosen.

use crate::channel::message::Message;
use crate::object::{Choices, REQUEST_LENGTH};

/// The most elements of a request, and of a response. 0: each is one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) request: u64,
    pub(super) response: u64,
}

impl Lengths {
    /// Those in the number of a header, or of options.
    pub(super) const fn of(item_length: u64) -> Self {
        let (request, response) = (item_length & REQUEST_LENGTH, item_length & !REQUEST_LENGTH);
        Self { request, response: response >> REQUEST_LENGTH.trailing_ones() }
    }

    /// Those of a call for which none was chosen.
    pub(super) const fn of_types<Req: Message + ?Sized, Resp: Message + ?Sized>() -> Self {
        Self { request: Req::MAX_LEN, response: Resp::MAX_LEN }
    }

    /// The number for a header, or for options.
    pub(super) const fn to_item_length(self) -> u64 {
        self.response << REQUEST_LENGTH.trailing_ones() | self.request
    }

    /// The same, with those of `others` where this has none.
    pub(super) fn or(self, others: Self) -> Self {
        let or = |length, other| if length > 0 { length } else { other };
        Self {
            request: or(self.request, others.request),
            response: or(self.response, others.response),
        }
    }
}

/// Chooses how long a request can be.
pub(super) fn choose_request_length(choices: &mut Choices, elements: u64) {
    choose(choices, elements, |lengths, request| Lengths { request, ..lengths });
}

/// Chooses how long a response can be.
pub(super) fn choose_response_length(choices: &mut Choices, elements: u64) {
    choose(choices, elements, |lengths, response| Lengths { response, ..lengths });
}

fn choose(choices: &mut Choices, elements: u64, change: impl Fn(Lengths, u64) -> Lengths) {
    if !(1..=REQUEST_LENGTH).contains(&elements) {
        let why = format!("lists of up to {elements} elements; 1 to {REQUEST_LENGTH} are allowed");
        choices.refused = Some(why);
        return;
    }
    let lengths = Lengths::of(choices.item_length.unwrap_or(0));
    choices.item_length = Some(change(lengths, elements).to_item_length());
}
