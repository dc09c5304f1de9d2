//! Ways to pass values between processes.

mod any_message;
mod call;
mod deaths;
mod latest;
mod message;
mod pipe;
mod queue;
mod sent;
mod topic;

pub use call::{AnyCall, AnyClient, AnyPending, AnyRequest, AnyServer};
pub use call::{Call, CallClient, CallCounts, CallServer, Pending, Request};
#[cfg(feature = "count-retries")]
pub use latest::read_retries;
pub use latest::{AnyChanges, AnyLatest, Changes, Latest, LatestLoan, LatestObject, LatestWriter};
pub use message::Message;
pub use pipe::{Pipe, PipeReader, PipeWriter};
pub use queue::{AnyQueue, AnyQueueReceiver, AnyQueueSender};
pub use queue::{DeadLetter, Queue, QueueCounts, QueueReceiver, QueueSender, Received};
pub use topic::{
    AnyPublisher, AnySubscriber, AnyTopic, Attached, Attendance, AttendanceNews, Loan, Publisher,
    Sample, Subscriber, Topic, TopicObject, WhenFull,
};
