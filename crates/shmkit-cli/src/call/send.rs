//! `shm call send`.

use std::time::Duration;

use serde_json::json;
use shmkit::AnyClient;

use super::types::CallType;
use crate::global::Global;
use crate::messages::{Form, Input, Output};
use crate::presence_args::PresenceArgs;
use crate::stats::{Stats, StatsArgs};
use crate::stop::Stop;
use crate::timeout_args::TimeLimit;
use crate::units;

/// Send the lines of standard input, or REQUEST, and print the responses
///
/// It sends a request when the one before is answered. It ends with exit code 8 after the timeout,
/// with 9 if the server died, which may have done what was asked, and with 11 if the server refused
/// the request or did not complete the answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the call
    name: String,
    /// Send these requests instead of the lines of standard input
    ///
    /// A request has the form that `shm get` prints, or that of `shm get --json`: 7.25, Fast,
    /// Pose { x: 1.0, y: 2.0 }, {"x": 1.0, "y": 2.0}. If requests are bytes, a line is a request as
    /// it is.
    #[arg(value_name = "REQUEST", allow_negative_numbers = true)]
    requests: Vec<String>,
    /// Wait at most this long for each response [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Print a JSON object for each response: `request`, the number of the request from 1, and
    /// `value`; take requests as JSON, also if they are bytes: a text, or a list of numbers
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Print only the bytes of responses; without REQUEST, take all of standard input as the bytes
    /// of one request
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    stats: StatsArgs,
    #[command(flatten)]
    presence: PresenceArgs,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    args.presence.wait(&args.name, TimeLimit::new(args.timeout), global)?;
    let call = global.open_call(&args.name)?;
    let requests = CallType::new(call.request_schema())?;
    let responses = CallType::new(call.response_schema())?;
    let (input_form, output_form) = match (args.json, args.raw) {
        (true, _) => (Form::Json, Form::Json),
        (_, true) => (Form::Whole, Form::Raw),
        _ => (Form::Text, Form::Text),
    };
    let stop = Stop::at_requests()?;
    let (client, stats) = (call.client()?, args.stats.begin());
    let output = Output::new(output_form, &responses.messages);
    let mut asking = Asking { args, client, responses: &responses, output, stats, requests: 0 };
    let ended = stop.run(|| {
        let mut input = Input::new(input_form, &requests.messages, &args.requests);
        while let Some(request) = input.next()? {
            asking.ask(&requests.value(request)?)?;
        }
        Ok(())
    });
    asking.stats.end(String::new);
    ended
}

/// Requests that are sent.
struct Asking<'a> {
    args: &'a Args,
    client: AnyClient,
    responses: &'a CallType,
    output: Output<'a>,
    stats: Stats,
    /// How many requests were sent.
    requests: u64,
}

impl Asking<'_> {
    /// Sends a request, and prints the responses to it.
    fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let Self { args, client, responses, output, stats, requests } = self;
        let name = &args.name;
        let limit = || TimeLimit::new(args.timeout);
        let full = |error: &shmkit::Error| format!("to send to \"{name}\": {}", error.reason());
        let mut pending = limit().attempt_noting(full, |left| client.send(request, left))?;
        *requests += 1;
        let silent = |error: &shmkit::Error| match error.peer() {
            Some(server) => format!("for \"{name}\": {server} has the request"),
            None => format!("for \"{name}\": no server has begun the request"),
        };
        while let Some(value) = limit().attempt_noting(silent, |left| pending.recv(left))? {
            let response = responses.message(&value);
            output.print(response, &[("request", json!(requests))])?;
            // The next response can be a while away.
            output.flush()?;
            stats.count(response.len());
            stats.tick(String::new);
        }
        Ok(())
    }
}
