//! `shm call serve`.

use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::process::ChildStdout;
use std::time::Duration;

use anyhow::Context;
use shmkit::{AnyRequest, AnyServer, ErrorKind};

use super::types::CallType;
use crate::exit::Failure;
use crate::global::Global;
use crate::messages::{Form, Input};
use crate::output;
use crate::presence_args::PresenceArgs;
use crate::stats::{Stats, StatsArgs};
use crate::stop::Stop;
use crate::timeout_args::TimeLimit;
use crate::units;
use crate::worker::Worker;

/// Answer requests: run a command for each
///
/// The request is on the standard input of the command. If the command ends with exit code 0, what
/// it printed is the response, without the end of the last line. Otherwise, or if what it printed
/// is no response, the client is told that the request was refused. If this command is killed, the
/// client is told at once, and COMMAND is killed, too.
///
/// Start several servers to answer several requests at a time. At SIGTERM or ctrl-c, which the
/// command gets too, no other request is begun.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the call
    name: String,
    /// Pass on each line that the command prints as a response, as soon as it is printed
    ///
    /// The command waits while the client is as many responses behind as the call's --parts says.
    /// If the client has left, the command finds its standard output closed.
    #[arg(long)]
    stream: bool,
    /// End after N requests [default: no limit]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End with exit code 8 after this long without a request [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Give the request as JSON, and take each response as JSON, also if they are bytes: a text, or
    /// a list of numbers
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    /// Give the bytes of the request, and take all that the command prints as the bytes of the
    /// response; with --stream, it is cut into responses of the largest size
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    stats: StatsArgs,
    #[command(flatten)]
    presence: PresenceArgs,
    /// The command to run for each request, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(super) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    args.presence.wait(&args.name, TimeLimit::new(args.timeout), global)?;
    let call = global.open_call(&args.name)?;
    let form = match (args.json, args.raw) {
        (true, _) => Form::Json,
        (_, true) => Form::Raw,
        _ => Form::Text,
    };
    let answering = Answering {
        args,
        form,
        requests: CallType::new(call.request_schema())?,
        responses: CallType::new(call.response_schema())?,
    };
    let stop = Stop::new();
    let worker = Worker::new(&args.command, stop.clone())?;
    let (server, mut stats) = (call.server()?, args.stats.begin());
    let ended = stop.run(|| answering.serve(&server, &worker, &stop, &mut stats));
    stats.end(String::new);
    ended
}

/// How requests are answered.
struct Answering<'a> {
    args: &'a Args,
    form: Form,
    requests: CallType,
    responses: CallType,
}

impl Answering<'_> {
    /// Answers requests until the end.
    fn serve(
        &self,
        server: &AnyServer,
        worker: &Worker<'_>,
        stop: &Stop,
        stats: &mut Stats,
    ) -> anyhow::Result<()> {
        let mut limit = TimeLimit::new(self.args.timeout);
        while self.args.count.is_none_or(|count| stats.messages() < count) {
            if let Some(code) = stop.requested() {
                return Err(Failure::Reported(code).into());
            }
            let Some(request) = stats.wait(limit, String::new, |left| server.recv(left))? else {
                continue;
            };
            let bytes = self.requests.message(request.bytes()).len();
            self.answer(request, worker)?;
            stats.count(bytes);
            stats.tick(String::new);
            limit = TimeLimit::new(self.args.timeout);
        }
        Ok(())
    }

    /// Runs the command for a request. A request that is not answered is told on standard error.
    fn answer(&self, mut request: AnyRequest<'_>, worker: &Worker<'_>) -> anyhow::Result<()> {
        let input = self.input(self.requests.message(request.bytes()))?;
        let (read, failed) = worker.ask(input, |stdout| match self.args.stream {
            true => self.pass_on(stdout, &mut request).map(|()| None),
            false => self.response(stdout).map(Some),
        })?;
        let answered = match (read, failed) {
            // If the client has left, the command may have failed for that.
            (Err(error), None) => Err(error),
            (Err(error), Some(_)) if is_of_client(&error) => Err(error),
            (_, Some(failed)) => Err(anyhow::anyhow!(failed)),
            (Ok(Some(response)), None) => request.respond(&response).map_err(Into::into),
            (Ok(None), None) => request.finish().map_err(Into::into),
        };
        let Err(error) = answered else { return Ok(()) };
        if is_end(&error) {
            return Err(error);
        }
        let why = match error.downcast_ref::<shmkit::Error>() {
            Some(of_client) if is_of_client(&error) => of_client.reason(),
            _ => format!("{error:#}"),
        };
        let name = &self.args.name;
        output::note(format_args!("a request of \"{name}\" was not answered: {why}"));
        Ok(())
    }

    /// Returns what is on the standard input of the command.
    fn input(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let messages = &self.requests.messages;
        let mut input = match self.form {
            Form::Raw | Form::Whole => return Ok(request.to_vec()),
            Form::Json => serde_json::to_vec(&messages.json(request)?)?,
            Form::Text => messages.line(request)?,
        };
        input.push(b'\n');
        Ok(input)
    }

    /// Returns all that the command prints as a response.
    fn response(&self, mut stdout: ChildStdout) -> anyhow::Result<Vec<u8>> {
        let mut printed = Vec::new();
        stdout.read_to_end(&mut printed).context("cannot read the output of the command")?;
        let message = match self.form {
            Form::Raw | Form::Whole => printed,
            form => {
                let text = printed.strip_suffix(b"\n").unwrap_or(&printed);
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                let parsed = self.responses.messages.parse(text, form);
                parsed.context("cannot use the output of the command")?
            }
        };
        self.responses.value(message).context("cannot use the output of the command")
    }

    /// Passes on each response when it is printed.
    fn pass_on(&self, stdout: ChildStdout, request: &mut AnyRequest<'_>) -> anyhow::Result<()> {
        let stream = (Box::new(BufReader::new(stdout)) as _, "the output of the command");
        let mut input = Input::of_stream(self.form, &self.responses.messages, stream);
        while let Some(response) = input.next()? {
            request.respond_part(&self.responses.value(response)?, None)?;
        }
        Ok(())
    }
}

fn kind(error: &anyhow::Error) -> Option<ErrorKind> {
    error.downcast_ref::<shmkit::Error>().map(shmkit::Error::kind)
}

/// Whether the client has left, or died.
fn is_of_client(error: &anyhow::Error) -> bool {
    matches!(kind(error), Some(ErrorKind::BrokenPipe | ErrorKind::PeerDied))
}

/// Whether the server cannot answer other requests either.
fn is_end(error: &anyhow::Error) -> bool {
    use ErrorKind::{Cancelled, Closed, Corrupt, Forked, RoleLost};

    matches!(kind(error), Some(Cancelled | Closed | Corrupt | Forked | RoleLost))
}
