//! `shm create`.

use shmkit::AnyLatest;
use shmkit::shareable::Schema;

use crate::advice;
use crate::create_args::AccessArg;
use crate::global::Global;

/// Create an object for the latest value of a type
///
/// It has no value yet: `shm set` sets the first one. A program can open it as `Latest<T>` if `T`
/// is the struct with these fields, in this order, and `#[repr(C)]`.
///
/// TYPE is `x: f64, y: f64`, the same with a name as in `Pose { x: f64, y: f64 }`, or a single
/// type. For messages see `shm topic create`, `shm queue create`, `shm call create` and `shm pipe
/// create`; for locks `shm lock`; for permits, events and barriers `shm sem`, `shm event`, `shm
/// barrier`.
/// Types are: u8 to u128, i8 to i128, f32, f64, bool, char, [T; N], FixedString<N>,
/// FixedVec<T, N>, Maybe<T>, structs such as { x: f32, y: f32 } and enums such as (u8) { Parked =
/// 0, Driving }. Structs and enums can have a name before them.
#[allow(rustdoc::invalid_html_tags, reason = "a terminal shows the text")]
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm create tank/level f64
  shm create robot/pose 'Pose { x: f64, y: f64, mode: Mode(u8) { Parked, Driving } }'
  shm create shop/open 'by: FixedString<32>, since_unix_s: u64' --shared-writers --if-missing")]
pub(crate) struct Args {
    /// The name of the object
    name: String,
    /// The type of the value
    #[arg(value_name = "TYPE")]
    type_text: String,
    /// Allow several processes to set the value in turns
    ///
    /// Otherwise a process that has become its writer keeps the right to write until it ends.
    #[arg(long)]
    shared_writers: bool,
    /// Allow this many writers at a time, 1 to 1024 [default: 16]
    #[arg(long, value_name = "N")]
    writers: Option<u32>,
    /// Allow these users to use the object
    #[arg(long, value_enum, default_value = "owner")]
    access: AccessArg,
    /// Allow only your user to set the value: the others may read it
    #[arg(long)]
    read_only_peers: bool,
    /// Succeed if the object exists, with the same type and options
    #[arg(long)]
    if_missing: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let schema = Schema::declare(&args.type_text)?;
    let options = global.apply(AnyLatest::options()).access(args.access.into());
    let options = options.shared_writers(args.shared_writers).read_only_peers(args.read_only_peers);
    let options = args.writers.map_or(options.clone(), |writers| options.max_writers(writers));
    let created = match args.if_missing {
        true => options.open_or_create(&args.name, &schema),
        false => options.create(&args.name, &schema),
    };
    created.map(drop).map_err(advice::explain)
}
