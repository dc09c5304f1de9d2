//! `shm queue`.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value as Json, json};
use shmkit::{AnyQueue, AnyQueueReceiver, Received};

use crate::create_args::CreateArgs;
use crate::exit::Failure;
use crate::global::Global;
use crate::messages::{Form, InputForm, MessageType, Output, OutputForm, encoded};
use crate::presence_args::PresenceArgs;
use crate::stats::{Stats, StatsArgs};
use crate::stop::Stop;
use crate::timeout_args::TimeLimit;
use crate::type_args::TypeArgs;
use crate::worker::{Work, Worker};
use crate::{advice, dead_letters, units};

/// Send messages, each to exactly one receiver
///
/// A message is taken from the queue when its receiver acknowledges it. If the receiver dies first,
/// the next receiver gets it. Messages are lines, bytes, or values of a type that a program can
/// share as `Queue<T>`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm queue create jobs --type lines --delivery-limit 3
  ls *.png | shm queue send jobs
  shm queue recv jobs -- ./convert              a worker: each job on standard input
  shm queue recv jobs --count 1 --timeout 2s || echo \"no job\"
  shm queue dead list jobs
  shm queue dead requeue jobs --all
  shm queue create alarms --type '{ code: u32 }' --priorities
  shm queue send alarms --priority 9 '{\"code\": 7}'")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a queue
    Create {
        /// The name of the queue
        name: String,
        #[command(flatten)]
        message_type: TypeArgs,
        /// Hold this many messages, 1 to 1048576 [default: 256; of lines, bytes and lists as many
        /// as 1 MiB has room for, 4 to 256]
        #[arg(long, value_name = "N")]
        depth: Option<u32>,
        /// Hand over messages with a higher priority first
        #[arg(long)]
        priorities: bool,
        /// Set a message aside that was handed over this often and not acknowledged [default: no
        /// limit]
        #[arg(long, value_name = "N")]
        delivery_limit: Option<u32>,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Send the lines of standard input, or MESSAGE
    ///
    /// It waits while the queue is full.
    Send {
        /// The name of the queue
        name: String,
        #[command(flatten)]
        input: InputForm,
        /// Send the messages with this priority, if the queue has priorities
        #[arg(long, short, value_name = "N", default_value_t = 0, hide_default_value = true)]
        priority: u32,
        /// Wait at most this long while the queue is full [default: no limit]
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        stats: StatsArgs,
        #[command(flatten)]
        presence: PresenceArgs,
    },
    Recv(RecvArgs),
    /// List messages that are set aside, give them back to receivers, or drop them
    Dead(dead_letters::Args),
}

/// Print messages and acknowledge them, or run a command for each
///
/// A message is acknowledged when it is printed. If this command dies first, the next receiver gets
/// it: it may have been printed then.
///
/// With a COMMAND, this command runs it for each message, which is on its standard input. If it
/// ends with exit code 0, the message is acknowledged; otherwise, or if this command dies, it is
/// given back, and the next receiver gets it at its old place. A message that is given back as
/// often as the queue's --delivery-limit says is set aside. In the environment of the command,
/// SHMKIT_DELIVERIES says how often the message was handed over, this time included, and
/// SHMKIT_PRIORITY its priority. At SIGTERM or ctrl-c, which the command gets too, no other message
/// is begun.
#[derive(Debug, clap::Args)]
struct RecvArgs {
    /// The name of the queue
    name: String,
    /// End after N messages [default: no limit]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End with exit code 8 after this long without a message [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// Acknowledge a message when it is received, before it is printed or the command runs: then it
    /// is never received twice, but is lost if this command dies
    #[arg(long, value_enum, default_value = "done")]
    ack: AckArg,
    #[command(flatten)]
    form: OutputForm,
    #[command(flatten)]
    stats: StatsArgs,
    #[command(flatten)]
    presence: PresenceArgs,
    /// The command to run for each message, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

/// When a message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AckArg {
    /// When it is printed, or when the command has ended with exit code 0
    Done,
    /// When it is received
    Received,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, message_type, depth, priorities, delivery_limit, create_args } => {
            let (schema, max_len) = message_type.schema()?;
            let mut options = AnyQueue::options().priorities(*priorities);
            options = options.max_users(create_args.participants());
            options = options.delivery_limit(delivery_limit.unwrap_or(0));
            if let Some(items) = max_len {
                options = options.max_len(items);
            }
            if let Some(depth) = depth {
                options = options.depth(*depth);
            }
            let options = create_args.apply(options, global);
            let created = match create_args.if_missing() {
                true => options.open_or_create(name, &schema),
                false => options.create(name, &schema),
            };
            created.map(drop).map_err(advice::explain)
        }
        Command::Send { name, input, priority, timeout, stats, presence } => {
            let limit = TimeLimit::new(*timeout);
            let queue = open(name, limit, presence, global)?;
            send(&queue, input, *priority, *timeout, stats.begin())
        }
        Command::Recv(args) => {
            let queue = open(&args.name, TimeLimit::new(args.timeout), &args.presence, global)?;
            receive(&queue, args)
        }
        Command::Dead(args) => dead_letters::run(args, global),
    }
}

fn open(
    name: &str,
    limit: TimeLimit,
    presence: &PresenceArgs,
    global: &Global,
) -> anyhow::Result<AnyQueue> {
    presence.wait(name, limit, global)?;
    global.open_queue(name)
}

fn send(
    queue: &AnyQueue,
    input: &InputForm,
    priority: u32,
    timeout: Option<Duration>,
    mut stats: Stats,
) -> anyhow::Result<()> {
    let (messages, sender) = (MessageType::new(queue.schema(), queue.max_len())?, queue.sender()?);
    let mut input = input.open(&messages);
    while let Some(message) = input.next()? {
        let waiting =
            |error: &shmkit::Error| format!("to send to \"{}\": {}", queue.name(), error.reason());
        let send = |left| sender.send(&message, priority, left);
        TimeLimit::new(timeout).attempt_noting(waiting, send)?;
        stats.count(message.len());
        stats.tick(String::new);
    }
    stats.end(String::new);
    Ok(())
}

fn receive(queue: &AnyQueue, args: &RecvArgs) -> anyhow::Result<()> {
    let messages = MessageType::new(queue.schema(), queue.max_len())?;
    let form = args.form.form();
    if args.command.is_empty() {
        let stop = Stop::at_requests()?;
        let (receiver, stats) = (queue.receiver()?, args.stats.begin());
        let mut receiving = Receiving { args, receiver, stats };
        let mut output = Output::new(form, &messages);
        let ended = stop.run(|| receiving.print(&mut output));
        receiving.stats.end(String::new);
        return ended;
    }
    let stop = Stop::new();
    let worker = Worker::new(&args.command, stop.clone())?;
    let (receiver, stats) = (queue.receiver()?, args.stats.begin());
    let mut receiving = Receiving { args, receiver, stats };
    let ended = stop.run(|| receiving.work(&worker, (form, &messages), &stop));
    receiving.stats.end(String::new);
    ended
}

/// The most messages that are printed before they are acknowledged together.
const BATCH: usize = 64;

/// Messages that are received.
struct Receiving<'a> {
    args: &'a RecvArgs,
    receiver: AnyQueueReceiver,
    stats: Stats,
}

type Message<'r> = Received<'r, Vec<u8>>;

impl Receiving<'_> {
    /// Prints messages until the end.
    fn print(&mut self, output: &mut Output<'_>) -> anyhow::Result<()> {
        let Self { args, receiver, stats } = self;
        let mut limit = TimeLimit::new(args.timeout);
        while args.count.is_none_or(|count| stats.messages() < count) {
            let Some(first) = stats.wait(limit, String::new, |left| receiver.recv(left))? else {
                continue;
            };
            let mut batch = vec![first];
            let left = args.count.map_or(u64::MAX, |count| count - stats.messages());
            while (batch.len() as u64) < left.min(BATCH as u64) {
                // The next wait tells an error: here it would acknowledge what is not printed.
                let Ok(Some(next)) = receiver.try_recv() else { break };
                batch.push(next);
            }
            let lengths: Vec<_> = batch.iter().map(|message| message.len()).collect();
            print_batch(output, batch, args.ack)?;
            lengths.into_iter().for_each(|bytes| stats.count(bytes));
            stats.tick(String::new);
            limit = TimeLimit::new(args.timeout);
        }
        Ok(())
    }

    /// Runs the command for each message until the end.
    fn work(
        &mut self,
        worker: &Worker<'_>,
        (form, of): (Form, &MessageType),
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let Self { args, receiver, stats } = self;
        let mut limit = TimeLimit::new(args.timeout);
        while args.count.is_none_or(|count| stats.messages() < count) {
            if let Some(code) = stop.requested() {
                return Err(Failure::Reported(code).into());
            }
            let Some(message) = stats.wait(limit, String::new, |left| receiver.recv(left))? else {
                continue;
            };
            let bytes = message.len();
            let work = encoded(form, of, &message, &facts(&message)).map(|input| Work {
                input,
                priority: message.priority(),
                deliveries: message.deliveries(),
            });
            let message = match args.ack {
                AckArg::Done => Some(message),
                AckArg::Received => message.acknowledge().map(|()| None)?,
            };
            let is_done = match work.and_then(|work| worker.run(&work)) {
                Ok(is_done) => is_done,
                Err(error) => {
                    // The command cannot be run: the message is for another receiver.
                    message.map(Message::requeue).transpose()?;
                    return Err(error);
                }
            };
            match message {
                Some(message) if is_done => message.acknowledge()?,
                Some(message) => {
                    message.requeue()?;
                    worker.pause_after_failure();
                }
                None => {}
            }
            stats.count(bytes);
            stats.tick(String::new);
            limit = TimeLimit::new(args.timeout);
        }
        Ok(())
    }
}

/// What a message says besides its value.
fn facts(message: &Message<'_>) -> [(&'static str, Json); 2] {
    [("priority", json!(message.priority())), ("deliveries", json!(message.deliveries()))]
}

/// Prints messages, and then acknowledges them, unless they are acknowledged already.
fn print_batch(
    output: &mut Output<'_>,
    batch: Vec<Message<'_>>,
    ack: AckArg,
) -> anyhow::Result<()> {
    let mut kept = Vec::new();
    let mut printed = Ok(());
    for message in batch {
        let facts = facts(&message);
        if printed.is_err() {
            message.requeue()?;
            continue;
        }
        match ack {
            AckArg::Done => {
                printed = output.print(&message, &facts);
                kept.push(message);
            }
            AckArg::Received => {
                let bytes = message.to_vec();
                message.acknowledge()?;
                printed = output.print(&bytes, &facts);
            }
        }
    }
    match printed.and_then(|()| Ok(output.flush()?)) {
        Ok(()) => kept.into_iter().try_for_each(|message| Ok(message.acknowledge()?)),
        Err(error) => {
            // Nobody has seen them all.
            kept.into_iter().try_for_each(Message::requeue)?;
            Err(error)
        }
    }
}
