//! `shm queue dead`.

use serde_json::{Value as Json, json};
use shmkit::AnyQueue;

use crate::exit::Failure;
use crate::global::Global;
use crate::messages::MessageType;
use crate::table::table;
use crate::{format, output};

/// Messages that are set aside.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the messages that are set aside, the oldest first
    List {
        /// The name of the queue
        name: String,
        /// Print a JSON array: `number`, `priority`, `deliveries` and `value` for each
        #[arg(long)]
        json: bool,
    },
    /// Give messages back to the receivers, each at its old place
    ///
    /// It is handed over once more: if it is not acknowledged then, it is set aside again.
    Requeue {
        /// The name of the queue
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Drop messages
    Drop {
        /// The name of the queue
        name: String,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, clap::Args)]
#[group(required = true)]
struct Which {
    /// The numbers of the messages, as `shm queue dead list` shows them
    #[arg(value_name = "NUMBER")]
    numbers: Vec<u64>,
    /// All messages that are set aside
    #[arg(long, conflicts_with = "numbers")]
    all: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::List { name, json } => list(&global.open_queue(name)?, *json),
        Command::Requeue { name, which } => {
            let queue = global.open_queue(name)?;
            which.each(&queue, "requeue", |number| queue.requeue_dead(number))
        }
        Command::Drop { name, which } => {
            let queue = global.open_queue(name)?;
            which.each(&queue, "drop", |number| queue.drop_dead(number))
        }
    }
}

fn list(queue: &AnyQueue, is_json: bool) -> anyhow::Result<()> {
    let (messages, letters) =
        (MessageType::new(queue.schema(), queue.max_len())?, queue.dead_letters()?);
    if is_json {
        let letters = letters.iter().map(|letter| {
            let value = letter.value.as_deref().map(|bytes| messages.json(bytes)).transpose()?;
            Ok(json!({
                "number": letter.number,
                "priority": letter.priority,
                "deliveries": letter.deliveries,
                "value": value,
            }))
        });
        return Ok(output::line(Json::Array(letters.collect::<anyhow::Result<_>>()?))?);
    }
    if letters.is_empty() {
        // A script would take a line of standard output for a message.
        output::note(format_args!("no messages of \"{}\" are set aside", queue.name()));
        return Ok(());
    }
    let rows = letters.iter().map(|letter| {
        let value = letter.value.as_deref().map(|bytes| shown(&messages, bytes));
        vec![
            letter.number.to_string(),
            letter.priority.to_string(),
            letter.deliveries.to_string(),
            value.unwrap_or_else(|| "its bytes are not a value of the type".into()),
        ]
    });
    let headings = vec!["NUMBER", "PRIORITY", "DELIVERIES", "MESSAGE"];
    Ok(output::line(table(headings, rows.collect::<Vec<_>>()))?)
}

/// Returns the message in one line of a table.
fn shown(messages: &MessageType, bytes: &[u8]) -> String {
    let line = messages.line(bytes).unwrap_or_default();
    format::short(output::escaped(&String::from_utf8_lossy(&line), |_| false))
}

impl Which {
    /// Does something with each of the messages. One that is not set aside is an error, after the
    /// others.
    fn each(
        &self,
        queue: &AnyQueue,
        doing: &str,
        act: impl Fn(u64) -> shmkit::Result<bool>,
    ) -> anyhow::Result<()> {
        if self.all {
            for letter in queue.dead_letters()? {
                // Another process can be faster.
                act(letter.number)?;
            }
            return Ok(());
        }
        let mut missing = Vec::new();
        for number in &self.numbers {
            if !act(*number)? {
                missing.push(number.to_string());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let (name, missing) = (queue.name(), missing.join(", "));
        let why = format!(
            "cannot {doing} messages of \"{name}\": none with the number {missing} is set aside"
        );
        Err(Failure::NotFound(why).into())
    }
}
