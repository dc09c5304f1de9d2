//! shaq: its queue of one sender and one receiver, and its broadcast, in files.

use std::fs::File;
use std::hint::spin_loop;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use shaq::broadcast::{self, Broadcast, BroadcastConfig, ProducerId};
use shaq::spsc::{Consumer, Producer, minimum_file_size};

use crate::fan::{self, Fan};
use crate::link::{BACK, Ends, Head, Lends, Peer, Place, THERE};

const WORKS: &str = "shaq works here";

pub(crate) struct Shaq;

impl Peer for Shaq {
    type Ends<const N: usize> = Side<N>;
}

pub(crate) struct Side<const N: usize> {
    producer: Producer<[u64; N]>,
    consumer: Consumer<[u64; N]>,
}

fn file(place: &Place<'_>, direction: &str) -> File {
    let path = place.directory.join(place.local(direction)).with_extension("shaq");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    file.expect(WORKS)
}

impl<const N: usize> Ends<N> for Side<N> {
    type Begun = Self;

    fn begin(place: &Place<'_>) -> Self {
        let size = minimum_file_size::<[u64; N]>(place.depth());
        // SAFETY: the controller alone initialises the files, and each has one end of each kind.
        let producer = unsafe { Producer::create(&file(place, THERE), size) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::create(&file(place, BACK), size) };
        Self { producer: producer.expect(WORKS), consumer: consumer.expect(WORKS) }
    }

    fn finish(begun: Self, _: &Place<'_>) -> Self {
        begun
    }

    fn join(place: &Place<'_>) -> Self {
        // SAFETY: the controller has initialised the files, and has the other end of each.
        let producer = unsafe { Producer::join(&file(place, BACK)) };
        // SAFETY: as above.
        let consumer = unsafe { Consumer::join(&file(place, THERE)) };
        Self { producer: producer.expect(WORKS), consumer: consumer.expect(WORKS) }
    }

    #[inline(always)]
    fn send(&mut self, message: &[u64; N]) {
        self.write(|place| _ = place.write(*message));
    }

    #[inline(always)]
    fn receive(&mut self, message: &mut [u64; N]) {
        *message = self.read(|it| *it);
    }
}

impl<const N: usize> Side<N> {
    /// Sends a batch of one: the only way to write a message in place.
    #[inline(always)]
    fn write(&mut self, write: impl Fn(&mut MaybeUninit<[u64; N]>)) {
        loop {
            let mut batch = self.producer.write_batch();
            // SAFETY: the message is written before the batch is published, on drop. What is not
            // written of it is shared memory, whose bytes are words whatever they are.
            if let Some(place) = unsafe { batch.try_as_mut() } {
                return write(place);
            }
            drop(batch);
            spin_loop();
        }
    }

    /// Reads the next message in place: a batch of one.
    #[inline(always)]
    fn read<T>(&mut self, read: impl Fn(&[u64; N]) -> T) -> T {
        loop {
            if let Some(batch) = self.consumer.try_reserve_read_batch(NonZeroUsize::MIN) {
                return read(&batch[0]);
            }
            spin_loop();
        }
    }
}

impl<const N: usize> Lends<N> for Side<N> {
    #[inline(always)]
    fn send_head(&mut self, head: &Head) {
        // SAFETY: the place of the message, which begins with at least 64 bytes.
        self.write(|place| unsafe { place.as_mut_ptr().cast::<Head>().write(*head) });
    }

    #[inline(always)]
    fn receive_head(&mut self) -> Head {
        self.read(|it| *it.first_chunk().expect("there are at least 64 bytes"))
    }
}

impl Fan for Shaq {
    type Publisher = broadcast::Producer<Head>;
    type Subscriber = broadcast::Consumer<Head>;

    fn publisher(place: &Place<'_>, subscribers: usize) -> Self::Publisher {
        let config = BroadcastConfig {
            capacity: place.depth(),
            producer_slots: 1,
            consumer_slots: subscribers,
        };
        let file = file(place, &fan::direction(subscribers));
        // SAFETY: the controller alone initialises the file.
        let broadcast = unsafe { Broadcast::create(&file, config) };
        broadcast.expect(WORKS).producer(ProducerId::new(1)).expect(WORKS)
    }

    fn subscriber(place: &Place<'_>, subscribers: usize) -> Self::Subscriber {
        let file = file(place, &fan::direction(subscribers));
        // SAFETY: the controller has initialised the file, for messages of this type.
        unsafe { broadcast::Consumer::join(&file) }.expect(WORKS)
    }

    #[inline(always)]
    fn publish(publisher: &mut Self::Publisher, message: &Head) {
        while publisher.try_write(*message).is_err() {
            spin_loop();
        }
    }

    #[inline(always)]
    fn try_receive(subscriber: &mut Self::Subscriber) -> Option<Head> {
        subscriber.try_read()
    }
}
