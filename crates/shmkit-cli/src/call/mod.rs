//! `shm call`.

mod send;
mod serve;
mod types;

use shmkit::AnyCall;

use crate::create_args::CreateArgs;
use crate::global::Global;
use crate::{advice, units};

/// Send requests and print the responses, or answer requests with a command
///
/// Each request goes to one server, which answers with one response or with several. Requests and
/// responses are lines, bytes, lists, or values of types that a program can share as
/// `Call<Req, Resp>`; lines, bytes and lists are `FixedVec<T, N>` there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm call create upper --request lines --response lines
  shm call serve upper -- tr a-z A-Z            a server: each request on standard input
  shm call send upper hello --timeout 2s || echo \"no answer\"
  shm call create sum --request '{ left: f64, right: f64 }' --response f64
  shm call serve sum --json -- jq '.left + .right'
  shm call send sum '{\"left\": 2, \"right\": 3.5}'
  shm call create files --request lines --response lines --parts 64
  shm call serve files --stream -- xargs ls     each line is a response")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(CreateCallArgs),
    Send(send::Args),
    Serve(serve::Args),
}

/// Create a call
#[derive(Debug, clap::Args)]
struct CreateCallArgs {
    /// The name of the call
    name: String,
    /// The type of requests: `lines`, `bytes`, a list as `[f32]`, or a type as for `shm create`
    #[arg(long, value_name = "TYPE")]
    request: String,
    /// The type of responses, in the same words
    #[arg(long, value_name = "TYPE")]
    response: String,
    /// Allow requests of up to this size: for lines, bytes and lists [default: 4KiB]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    max_request_size: Option<u64>,
    /// Allow responses of up to this size: for lines, bytes and lists [default: 4KiB]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    max_response_size: Option<u64>,
    /// Hold this many requests at a time, 1 to 4096 [default: 64]
    #[arg(long, value_name = "N")]
    in_flight: Option<u32>,
    /// Hold this many responses to a request that its client has not received, 1 to 1023
    /// [default: 4]
    #[arg(long, value_name = "N")]
    parts: Option<u32>,
    #[command(flatten)]
    create_args: CreateArgs,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create(args) => args.create(global),
        Command::Send(args) => send::run(args, global),
        Command::Serve(args) => serve::run(args, global),
    }
}

impl CreateCallArgs {
    fn create(&self, global: &Global) -> anyhow::Result<()> {
        let (name, create_args) = (&self.name, &self.create_args);
        let request = types::parse(&self.request, ("--max-request-size", self.max_request_size))?;
        let sizes = ("--max-response-size", self.max_response_size);
        let response = types::parse(&self.response, sizes)?;
        let mut options = AnyCall::options().max_users(create_args.participants());
        if let Some(requests) = self.in_flight {
            options = options.in_flight(requests);
        }
        if let Some(parts) = self.parts {
            options = options.parts(parts);
        }
        let options = create_args.apply(options, global);
        let created = match create_args.if_missing() {
            true => options.open_or_create(name, &request, &response),
            false => options.create(name, &request, &response),
        };
        created.map(drop).map_err(advice::explain)
    }
}
