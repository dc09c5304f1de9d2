// Hands as in `hand.rs`, which has Boost.Interprocess do its tasks:
//
//   hand --ground DIRECTORY --task TASK --way WAY --cpu CPU --number NUMBER
//        --words WORD --place WORD --make 0|1
//
// Names in capitals are handed in by who compiles this: `WORDS_OF_A_HAND`.

#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/interprocess_upgradable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <map>
#include <new>
#include <string>

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ipc = boost::interprocess;
using Word = std::atomic<std::uint64_t>;

std::uint64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::uint64_t(now.tv_sec) * 1'000'000'000 + std::uint64_t(now.tv_nsec);
}

void futex(Word& word, int operation, std::uint32_t value) {
  syscall(SYS_futex, &word, operation, value, nullptr);
}

// What a crew shares, and this hand's own words.
struct Hand {
  Word* words;
  Word* place;
  bool make;
  std::size_t number;

  void answer(std::uint64_t answer) const {
    words[ANSWER].store(answer, std::memory_order_release);
    futex(words[ANSWER], FUTEX_WAKE, 1);
  }

  // Says that it is there, and then does `operation` when and as often as it is told.
  template <class Operation>
  void obey(Operation operation) const {
    std::uint64_t last = 0, count = 0;
    answer(ENDED);
    for (;;) {
      std::uint64_t command;
      while ((command = words[COMMAND].load(std::memory_order_acquire)) == last)
        futex(words[COMMAND], FUTEX_WAIT, std::uint32_t(last));
      last = command;
      if ((last & 0xff) == LEAVE) return;
      const std::uint64_t rounds = words[ROUNDS].load(std::memory_order_relaxed);
      words[ANSWER].store(last, std::memory_order_release);
      words[BEGAN_NS].store(now_ns(), std::memory_order_relaxed);
      if (rounds == 0) {
        while (words[STOP].load(std::memory_order_relaxed) == 0) {
          operation();
          words[COUNT].store(++count, std::memory_order_relaxed);
        }
      }
      for (std::uint64_t round = 0; round < rounds; ++round) operation();
      words[ENDED_NS].store(now_ns(), std::memory_order_relaxed);
      answer(last | ENDED);
    }
  }

  // A `T` that the crew shares, which begins `at` words into the place.
  template <class T, class... Arguments>
  T& shared(std::size_t at, Arguments... arguments) const {
    static_assert(sizeof(T) <= PLACE_WORDS * 8, "it does not fit");
    void* const there = place + at;
    return make ? *new (there) T(arguments...) : *static_cast<T*>(there);
  }
};

// Adds one to what only the holder of a lock changes.
void add_one(Word& total) {
  total.store(total.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// What is done in a long section: each step waits for the one before.
void work_long() {
  std::uint64_t number = 1;
  asm volatile("" : "+r"(number));
  for (int step = 0; step < LONG_STEPS; ++step) {
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
  }
  asm volatile("" : : "r"(number));
}

void lock(const Hand& hand, bool is_long) {
  static_assert(sizeof(ipc::interprocess_mutex) <= TOTAL * 8, "it is beside the counter");
  auto& mutex = hand.shared<ipc::interprocess_mutex>(0);
  Word& total = hand.shared<Word>(TOTAL, 0);
  hand.obey([&] {
    ipc::scoped_lock<ipc::interprocess_mutex> locked(mutex);
    add_one(total);
    if (is_long) work_long();
  });
}

template <class Mutex>
struct Counted {
  Mutex mutex;
  Word total{0};

  void read() {
    ipc::sharable_lock<Mutex> locked(mutex);
    total.load(std::memory_order_relaxed);
  }

  void write() {
    ipc::scoped_lock<Mutex> locked(mutex);
    add_one(total);
  }
};

template <class Mutex>
void read_and_write(const Hand& hand, const std::string& task) {
  auto& counted = hand.shared<Counted<Mutex>>(0);
  if (task == "read") return hand.obey([&] { counted.read(); });
  if (task == "write") return hand.obey([&] { counted.write(); });
  std::uint64_t operations = 0;
  hand.obey([&] {
    if (++operations % OPERATIONS_PER_WRITE == 0)
      counted.write();
    else
      counted.read();
  });
}

// A flag and a condition for each side, under one mutex.
struct Mailboxes {
  ipc::interprocess_mutex mutex;
  bool full[2] = {false, false};
  alignas(128) ipc::interprocess_condition filled[2];

  void give(std::size_t to) {
    {
      ipc::scoped_lock<ipc::interprocess_mutex> locked(mutex);
      full[to] = true;
    }
    filled[to].notify_one();
  }

  void take(std::size_t own) {
    ipc::scoped_lock<ipc::interprocess_mutex> locked(mutex);
    while (!full[own]) filled[own].wait(locked);
    full[own] = false;
  }
};

struct Semaphores {
  ipc::interprocess_semaphore there;
  alignas(128) ipc::interprocess_semaphore back;

  explicit Semaphores(unsigned permits) : there(permits), back(permits) {}

  void give(std::size_t to) { (to == 0 ? there : back).post(); }
  void take(std::size_t own) { (own == 0 ? there : back).wait(); }
};

template <class Turns>
void take_turns(const Hand& hand, Turns& turns) {
  const std::size_t own = hand.number, other = 1 - own;
  if (own == GIVER)
    hand.obey([&] { turns.give(other), turns.take(own); });
  else
    hand.obey([&] { turns.take(own), turns.give(other); });
}

bool work(const Hand& hand, const std::string& task, const std::string& way) {
  if (task == "mutex" || task == "long-mutex") {
    lock(hand, task == "long-mutex");
  } else if (task == "read" || task == "write" || task == "read-mostly") {
    if (way == "boost-upgradable")
      read_and_write<ipc::interprocess_upgradable_mutex>(hand, task);
    else
      read_and_write<ipc::interprocess_sharable_mutex>(hand, task);
  } else if (task == "permit") {
    auto& semaphores = hand.shared<Semaphores>(0, 1);
    hand.obey([&] { semaphores.take(0), semaphores.give(0); });
  } else if (task == "condition") {
    take_turns(hand, hand.shared<Mailboxes>(0));
  } else if (task == "semaphore") {
    take_turns(hand, hand.shared<Semaphores>(0, 0));
  } else {
    return false;
  }
  return true;
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int at = 2; at + 1 < argc; at += 2) options[argv[at]] = argv[at + 1];

  // Otherwise it would outlive one who commands and is killed, and work on for ever.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(std::stoul(options["--cpu"]), &cpus);
  const bool pinned = sched_setaffinity(0, sizeof cpus, &cpus) == 0;

  const int file = open((options["--ground"] + "/ground").c_str(), O_RDWR);
  struct stat status{};
  const bool known = fstat(file, &status) == 0;
  void* const mapped = mmap(nullptr, std::size_t(status.st_size), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_POPULATE, file, 0);
  if (!pinned || !known || mapped == MAP_FAILED) {
    std::cerr << "no place to work at: " << options["--ground"] << "\n";
    return 1;
  }
  const auto words = static_cast<Word*>(mapped);
  const Hand hand{words + std::stoul(options["--words"]), words + std::stoul(options["--place"]),
                  options["--make"] == "1", std::stoul(options["--number"])};
  if (!work(hand, options["--task"], options["--way"])) {
    std::cerr << "Boost has nothing for " << options["--task"] << "\n";
    return 1;
  }
}
