//! `shm topic`.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use shmkit::{AnyPublisher, AnySubscriber, AnyTopic, ErrorKind, WhenFull};

use crate::create_args::CreateArgs;
use crate::exit::Failure;
use crate::global::Global;
use crate::messages::{InputForm, MessageType, Output, OutputForm};
use crate::presence_args::PresenceArgs;
use crate::stats::{Stats, StatsArgs};
use crate::stop::Stop;
use crate::timeout_args::TimeLimit;
use crate::type_args::TypeArgs;
use crate::{advice, output, units};

/// Publish messages to all subscribers, and receive them
///
/// Each message reaches every subscriber that was there when it was published. Messages are lines,
/// bytes, or values of a type that a program can share as `Topic<T>`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm topic create log/lines --type lines
  shm topic create robot/pose --type 'struct Pose { x: f64, y: f64 }' --when-full overwrite
  shm topic sub log/lines                       in another terminal
  journalctl -f | shm topic pub log/lines
  shm topic pub robot/pose 'Pose { x: 1.5, y: 0.0 }'
  shm topic sub robot/pose --json --count 10 | jq .value.x
  shm topic sub log/lines --stats >/dev/null")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a topic
    Create {
        /// The name of the topic
        name: String,
        #[command(flatten)]
        message_type: TypeArgs,
        /// Have room for this many messages, rounded up to a power of two [default: 256, or as many
        /// as 256 KiB have room for, at least 4]
        #[arg(long, value_name = "N")]
        depth: Option<u32>,
        /// Say what happens to a message for which there is no room, because a subscriber did not
        /// keep up
        #[arg(long, value_enum, default_value = "block")]
        when_full: WhenFullArg,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Publish the lines of standard input, or MESSAGE
    ///
    /// It waits while the topic is full, unless the topic says otherwise: then the number of
    /// dropped messages is printed on standard error.
    Pub {
        /// The name of the topic
        name: String,
        #[command(flatten)]
        input: InputForm,
        /// Wait at most this long for room for a message, whatever the topic says [default: no
        /// limit]
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
        /// Wait until there are this many subscribers before the first message
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        subscribers: u32,
        #[command(flatten)]
        stats: StatsArgs,
        #[command(flatten)]
        presence: PresenceArgs,
    },
    /// Print the messages that are published from now on
    ///
    /// It goes on when publishers leave. The death of a publisher, and messages that were lost
    /// because this command did not keep up, are told on standard error.
    Sub {
        /// The name of the topic
        name: String,
        /// Begin with up to N messages that were published before
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        history: u32,
        /// End after N messages [default: no limit]
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// End with exit code 8 after this long without a message [default: no limit]
        #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
        timeout: Option<Duration>,
        #[command(flatten)]
        form: OutputForm,
        #[command(flatten)]
        stats: StatsArgs,
        #[command(flatten)]
        presence: PresenceArgs,
    },
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WhenFullArg {
    /// The publisher waits for the subscriber
    Block,
    /// The message is dropped
    DropNew,
    /// The oldest message is overwritten
    Overwrite,
}

impl From<WhenFullArg> for WhenFull {
    fn from(when_full: WhenFullArg) -> Self {
        match when_full {
            WhenFullArg::Block => Self::Block,
            WhenFullArg::DropNew => Self::DropNew,
            WhenFullArg::Overwrite => Self::Overwrite,
        }
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, message_type, depth, when_full, create_args } => {
            let (schema, max_len) = message_type.schema()?;
            let mut options = AnyTopic::options().when_full((*when_full).into());
            options = options.max_participants(create_args.participants());
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
        Command::Pub { name, input, timeout, subscribers, stats, presence } => {
            let limit = TimeLimit::new(*timeout);
            let topic = open(name, limit, presence, global)?;
            let publisher = topic.publisher()?;
            let mut publishing = Publishing { name, publisher, dropped: 0, timeout: *timeout };
            publishing.await_subscribers(*subscribers, limit)?;
            publishing.publish_all(&topic, input, stats.begin())
        }
        Command::Sub { name, history, count, timeout, form, stats, presence } => {
            let topic = open(name, TimeLimit::new(*timeout), presence, global)?;
            let messages = MessageType::new(topic.schema(), topic.max_len())?;
            let stop = Stop::at_requests()?;
            let subscriber = topic.subscriber(*history)?;
            let output = Output::new(form.form(), &messages);
            let (stats, left) = (stats.begin(), TimeLimit::new(*timeout));
            let mut subscribed = Subscribed { name, subscriber, output, stats, lost: 0 };
            let ended = stop.run(|| subscribed.print(*count, *timeout, left));
            subscribed.end();
            ended
        }
    }
}

fn open(
    name: &str,
    limit: TimeLimit,
    presence: &PresenceArgs,
    global: &Global,
) -> anyhow::Result<AnyTopic> {
    presence.wait(name, limit, global)?;
    let topic = AnyTopic::open(Some(&global.directory()), name, global.trust);
    topic.map_err(advice::explain)
}

/// Messages that are published.
struct Publishing<'a> {
    name: &'a str,
    publisher: AnyPublisher,
    /// How many dropped messages were told.
    dropped: u64,
    timeout: Option<Duration>,
}

/// How long a publisher pauses between its looks for subscribers.
const SUBSCRIBERS_PAUSE: Duration = Duration::from_millis(5);

impl Publishing<'_> {
    fn await_subscribers(&mut self, wanted: u32, limit: TimeLimit) -> anyhow::Result<()> {
        loop {
            let there = if wanted == 0 { 0 } else { self.publisher.subscribers()? };
            if there >= wanted {
                return Ok(());
            }
            if limit.left() == Some(Duration::ZERO) {
                let why =
                    format!("{there} of {wanted} subscribers came before the timeout expired");
                let name = self.name;
                return Err(Failure::NotNow(format!("cannot publish to \"{name}\": {why}")).into());
            }
            std::thread::sleep(SUBSCRIBERS_PAUSE);
        }
    }

    fn publish_all(
        &mut self,
        topic: &AnyTopic,
        input: &InputForm,
        mut stats: Stats,
    ) -> anyhow::Result<()> {
        let messages = MessageType::new(topic.schema(), topic.max_len())?;
        let mut input = input.open(&messages);
        while let Some(message) = input.next()? {
            self.publish(&message, topic.when_full())?;
            stats.count(message.len());
            stats.tick(|| self.dropped_text());
            self.tell_dropped(false);
        }
        stats.end(|| self.dropped_text());
        self.tell_dropped(true);
        Ok(())
    }

    fn publish(&mut self, message: &[u8], when_full: WhenFull) -> anyhow::Result<()> {
        if let Some(timeout) = self.timeout {
            self.publisher.publish_timeout(message, timeout)?;
            return Ok(());
        }
        if when_full != WhenFull::Block {
            self.publisher.publish(message)?;
            return Ok(());
        }
        let (name, publisher) = (self.name, &mut self.publisher);
        let waiting = format!("publish to \"{name}\"");
        TimeLimit::new(None).attempt(&waiting, "did not keep up", |left| match left {
            Some(left) => publisher.publish_timeout(message, left),
            None => publisher.publish(message),
        })?;
        Ok(())
    }

    fn dropped_text(&self) -> String {
        match self.publisher.dropped() {
            0 => String::new(),
            dropped => format!(", {dropped} dropped"),
        }
    }

    /// Says how many messages were dropped: at the first one, and at the end.
    fn tell_dropped(&mut self, is_end: bool) {
        let dropped = self.publisher.dropped();
        if dropped > self.dropped && (is_end || self.dropped == 0) {
            let name = self.name;
            let why = "a subscriber did not keep up";
            output::note(format_args!("\"{name}\": dropped {dropped} so far: {why}"));
            self.dropped = dropped;
        }
    }
}

/// Messages that are received.
struct Subscribed<'a> {
    name: &'a str,
    subscriber: AnySubscriber,
    output: Output<'a>,
    stats: Stats,
    /// How many lost messages were told.
    lost: u64,
}

impl Subscribed<'_> {
    fn print(
        &mut self,
        count: Option<u64>,
        timeout: Option<Duration>,
        mut limit: TimeLimit,
    ) -> anyhow::Result<()> {
        while count.is_none_or(|count| self.stats.messages() < count) {
            let Some(message) = self.next(limit)? else { continue };
            limit = TimeLimit::new(timeout);
            let lost = self.subscriber.lost() - self.lost;
            let facts = [("sequence", json!(self.subscriber.sequence())), ("lost", json!(lost))];
            self.tell_lost();
            self.output.print(&message, &facts)?;
            self.stats.count(message.len());
            let lost = self.lost;
            self.stats.tick(|| lost_text(lost));
        }
        Ok(self.output.flush()?)
    }

    /// Returns the next message. None after news that was told, or when it is time for a line of
    /// statistics.
    fn next(&mut self, limit: TimeLimit) -> anyhow::Result<Option<Vec<u8>>> {
        let mut received = self.subscriber.try_recv();
        if let Ok(None) = received {
            self.output.flush()?;
            received = self.wait(limit);
        }
        let error = match received {
            Ok(message) => return Ok(message),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::PeerDied => {
                output::note(format_args!("\"{}\": {}", self.name, error.reason()));
                Ok(None)
            }
            ErrorKind::Corrupt => {
                output::note(error);
                Ok(None)
            }
            _ => Err(error.into()),
        }
    }

    fn wait(&mut self, limit: TimeLimit) -> shmkit::Result<Option<Vec<u8>>> {
        let Self { subscriber, stats, lost, .. } = self;
        stats.wait(
            limit,
            || lost_text(*lost),
            |left| match left {
                Some(left) => subscriber.recv_timeout(left),
                None => subscriber.recv(),
            },
        )
    }

    fn tell_lost(&mut self) {
        let lost = self.subscriber.lost();
        if lost > self.lost {
            output::note(format_args!("\"{}\": lost {}", self.name, lost - self.lost));
            self.lost = lost;
        }
    }

    fn end(&mut self) {
        self.tell_lost();
        self.stats.end(|| lost_text(self.lost));
    }
}

fn lost_text(lost: u64) -> String {
    if lost == 0 { String::new() } else { format!(", {lost} lost") }
}
