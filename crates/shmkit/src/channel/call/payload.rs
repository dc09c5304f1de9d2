//! A call as a payload: its parts, and how `shm` describes them.

use super::Call;
use super::counts::CallCounts;
use super::geometry::{
    CLIENT, DEFAULT_SLOTS, DEPARTURES, FLAG_PARTS, Geometry, MessageSize, REQUEST, STATE, TAKEN,
};
use super::handle::Handle;
use super::lengths::Lengths;
use super::options::size_of_messages;
use super::parts::call_over;
use super::protocol::CallWords;
use crate::channel::message::{Message, check_item_length, with_type};
use crate::error::{Error, ErrorKind, Result};
use crate::object::{
    Builder, Column, Holding, Kind, KindFlags, Part, PartState, Payload, Planner, SlotContent,
    SlotField, ValueType, WAIT, WORDS, grouped,
};
use crate::participant::Role;
use crate::shareable::Schema;
use crate::shareable::schema::{Field, Shape};
use crate::wait::Extent;

const BEGUN: Holding = Holding::new(
    "has 1 request",
    "has {} requests",
    "with {count} of the requests of {part}: their clients are told",
);

const COLUMNS: &[Column] =
    &[Column::Participants("USERS"), Column::Waiting, Column::State, Column::HeldBy];

/// The names of the fields that contain values.
const REQUEST_FIELD: &str = "request";
const RESPONSES_FIELD: &str = "responses";
const SLOTS_FIELD: &str = "slots";

/// Plans a call in which a request and a response, or the longest lists, have these types.
pub(super) fn plan(planner: &mut Planner<'_>, request: ValueType<'_>, response: ValueType<'_>) {
    let sizes = sizes_of(request.size(), response.size(), planner.item_length());
    let (flags, slots) = (planner.flags(), planner.items());
    let arrivals = planner.line("arrivals");
    planner.word("departures", arrivals + DEPARTURES, WAIT);
    planner.words("next", WORDS, 1);
    // A hostile object may have any number: the check of its fingerprint refuses what is planned.
    let [of_request, of_response] = sizes;
    let Some(geometry) = Geometry::of(of_request, of_response, slots, flags) else { return };
    planner.words("waiting", WORDS, geometry.waiting_words());
    let word = |name, at: usize, role| SlotField {
        name,
        at: at as u64 * 8,
        role,
        content: SlotContent::Word,
    };
    let answer = SlotField { at: geometry.answer_at, ..word("answer", 0, WAIT) };
    let fields = [
        word("state", STATE, WORDS),
        word("client", CLIENT, WORDS),
        word("taken", TAKEN, WAIT),
        word("length", REQUEST, WORDS),
        SlotField {
            content: SlotContent::Value(request),
            at: REQUEST as u64 * 8 + of_request.header_bytes(),
            ..word(REQUEST_FIELD, 0, crate::shareable::schema::VALUE)
        },
        answer,
        SlotField {
            name: RESPONSES_FIELD,
            at: geometry.responses_at(),
            role: WORDS,
            content: SlotContent::Values {
                value: response,
                has_length: of_response.is_list(),
                stride: geometry.response_stride,
                count: geometry.parts,
            },
        },
    ];
    let has_length = of_request.is_list();
    let fields = fields.into_iter().filter(|field| has_length || field.name != "length");
    let fields: Vec<_> = fields.collect();
    planner.slots_of(SLOTS_FIELD, geometry.slots, geometry.stride, &fields);
}

/// The sizes of requests and responses, of which a value, or the longest list, has so many bytes.
fn sizes_of(request: u64, response: u64, item_length: u64) -> [MessageSize; 2] {
    let lengths = Lengths::of(item_length);
    [(request, lengths.request), (response, lengths.response)].map(|(bytes, max_len)| {
        // In a hostile object they may be no whole elements: see `plan`.
        MessageSize { element_bytes: bytes / max_len.max(1), max_len }
    })
}

/// The types of requests and responses, if a schema is that of a call.
pub(super) fn types_of(schema: &Schema) -> Option<(&Schema, &Schema)> {
    let slots = field(schema, SLOTS_FIELD)?;
    let Shape::Array { item: slot, .. } = slots.shape() else { return None };
    let Shape::Array { item: response, .. } = field(slot, RESPONSES_FIELD)?.shape() else {
        return None;
    };
    Some((field(slot, REQUEST_FIELD)?, response.value()?))
}

fn field<'a>(schema: &'a Schema, name: &str) -> Option<&'a Schema> {
    let Shape::Struct { fields } = schema.shape() else { return None };
    let found = fields.iter().find(|field: &&Field| field.name == name)?;
    Some(&found.schema)
}

#[allow(private_interfaces, reason = "it is implemented by this library only")]
impl<Req: Message + ?Sized, Resp: Message + ?Sized> Payload for Call<Req, Resp> {
    type Initial = ();

    const KIND: Kind = Kind::Call;
    // Opening it takes no slot. Each client and each server takes one.
    const ROLE: Option<Role> = None;
    const ITEMS: u32 = DEFAULT_SLOTS;
    const ITEM_LENGTH: u64 = Lengths::of_types::<Req, Resp>().to_item_length();

    fn item_length(chosen: Option<u64>) -> u64 {
        let chosen = Lengths::of(chosen.unwrap_or(0));
        chosen.or(Lengths::of(Self::ITEM_LENGTH)).to_item_length()
    }

    fn plan(planner: &mut Planner<'_>, _: Option<&()>) {
        let lengths = Lengths::of(planner.item_length());
        with_type::<Req, _>(lengths.request, |request| {
            with_type::<Resp, _>(lengths.response, |response| plan(planner, request, response));
        });
    }

    fn build(builder: &mut Builder) -> Result<Self> {
        let object = builder.object().clone();
        let (items, flags) = (object.layout().items, object.layout().flags);
        let lengths = Lengths::of(object.layout().item_length);
        let [request, response] = size_of_messages::<Req, Resp>(lengths);
        let geometry = Geometry::of(request, response, items, flags).ok_or_else(|| {
            let why = format!("a call of {items} requests");
            Error::new(ErrorKind::Corrupt, why)
        })?;
        Ok(Self::over(Handle::over(object, geometry)?))
    }

    fn check_item_length(found: u64) -> Result<()> {
        let of = |what: &'static str| {
            move |error: Error| {
                Error::new(ErrorKind::WrongType, format!("{what}: {}", error.reason()))
            }
        };
        let found = Lengths::of(found);
        check_item_length::<Req>(found.request).map_err(of("requests"))?;
        check_item_length::<Resp>(found.response).map_err(of("responses"))
    }

    fn check_flags(asked: KindFlags, found: u32) -> Result<()> {
        asked.check_number("the number of responses that can wait (0: 4)", FLAG_PARTS, found)
    }

    fn describe(part: &Part<'_>) -> Result<PartState> {
        let (call, geometry) = call_in(part)?;
        let counts = call.counts();
        let (clients, _) = part.count_in_role(Role::Client);
        let (servers, _) = part.count_in_role(Role::Server);
        let held = call.begun_by().into_iter();
        let holders = held.map(|(id, count)| part.holder(id.slot(), Some(id), BEGUN, count));
        let (in_flight, text) = (geometry.slots, text(counts, geometry.slots));
        let participants = format!("{} clients, {} servers", grouped(clients), grouped(servers));
        let mut lines = vec![("requests", text.clone()), ("participants", participants)];
        if let Some((_, response)) = types_of(part.schema) {
            lines.push(("response type", response.to_string()));
        }
        Ok(PartState {
            text,
            fields: vec![
                ("in_flight", in_flight.into()),
                ("parts", geometry.parts.into()),
                ("max_request_len", geometry.request.max_len.into()),
                ("max_response_len", geometry.response.max_len.into()),
                ("clients", clients.into()),
                ("servers", servers.into()),
                ("sending", u64::from(counts.sending).into()),
                ("waiting", u64::from(counts.waiting).into()),
                ("begun", u64::from(counts.begun).into()),
                ("given_up", u64::from(counts.given_up).into()),
                ("answered", u64::from(counts.answered).into()),
                ("requests", call.requests().into()),
            ],
            lines,
            columns: COLUMNS,
            holders: holders.collect(),
            changes: Some(call.requests()),
            is_sound: call.is_sound(),
            ..PartState::default()
        })
    }

    fn reap(part: &Part<'_>) -> Result<()> {
        call_in(part)?.0.sweep(Extent::Everything, part);
        Ok(())
    }
}

/// The words of a part, for a process that does not know its types.
fn call_in<'a>(part: &Part<'a>) -> Result<(CallWords<'a>, Geometry)> {
    let corrupt = |why: &str| Error::new(ErrorKind::Corrupt, why.to_string());
    let (request, response) =
        types_of(part.schema).ok_or_else(|| corrupt("a call without types"))?;
    let [request, response] = sizes_of(request.size(), response.size(), part.item_length());
    let geometry = Geometry::of(request, response, part.items(), part.flags());
    let geometry = geometry.ok_or_else(|| corrupt("a call of this size"))?;
    let call = call_over(geometry, |at, count| part.words_at(at, count as usize))?;
    Ok((call, geometry))
}

/// The state of a call in one line.
fn text(counts: CallCounts, in_flight: u64) -> String {
    let CallCounts { sending, waiting, begun, given_up, answered } = counts;
    let mut text = format!("{} waiting", grouped(waiting.into()));
    for (count, what) in
        [(begun, "begun"), (answered, "answered"), (given_up, "given up"), (sending, "being sent")]
    {
        if count > 0 {
            text += &format!(", {} {what}", grouped(count.into()));
        }
    }
    format!("{text}, of {}", grouped(in_flight))
}
