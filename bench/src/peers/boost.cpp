// A worker as in `harness/worker.rs`, whose workloads use Boost.Interprocess:
//
//   worker --arena DIRECTORY --workload TASK/PEER --cpu CPU --number NUMBER
//          --mailbox WORD --shared WORD --creates true|false
//
// Without arguments, it prints the version of Boost. `boost.rs` defines the names in capitals when it compiles this file.

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/interprocess_upgradable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/interprocess/sync/sharable_lock.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

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

// The worker's mailbox, and the words that the workers share.
struct Worker {
  Word* mailbox;
  Word* shared_words;
  bool creates;
  std::size_t number;

  void answer(std::uint64_t answer) const {
    mailbox[ANSWER].store(answer, std::memory_order_release);
    futex(mailbox[ANSWER], FUTEX_WAKE, 1);
  }

  // Reports that the worker has started, then repeats `operation` for each command.
  template <class Operation>
  void repeat(Operation operation) const {
    repeat(operation, [] {});
  }

  // The same, and calls `finish` after each command.
  template <class Operation, class Finish>
  void repeat(Operation operation, Finish finish) const {
    std::uint64_t last = 0, count = 0;
    answer(ENDED);
    for (;;) {
      std::uint64_t command;
      while ((command = mailbox[COMMAND].load(std::memory_order_acquire)) == last)
        futex(mailbox[COMMAND], FUTEX_WAIT, std::uint32_t(last));
      last = command;
      if ((last & 0xff) == LEAVE) return;
      const std::uint64_t rounds = mailbox[ROUNDS].load(std::memory_order_relaxed);
      mailbox[ANSWER].store(last, std::memory_order_release);
      mailbox[BEGAN_NS].store(now_ns(), std::memory_order_relaxed);
      if (rounds == 0) {
        while (mailbox[STOP].load(std::memory_order_relaxed) == 0) {
          operation();
          mailbox[COUNT].store(++count, std::memory_order_relaxed);
        }
      }
      for (std::uint64_t round = 0; round < rounds; ++round) operation();
      mailbox[ENDED_NS].store(now_ns(), std::memory_order_relaxed);
      finish();
      answer(last | ENDED);
    }
  }

  // Returns a `T` in the shared words, from word `at` on.
  template <class T, class... Arguments>
  T& shared(std::size_t at, Arguments... arguments) const {
    static_assert(sizeof(T) <= SHARED_WORDS * 8, "a shared value fits into the shared words");
    void* const there = shared_words + at;
    return creates ? *new (there) T(arguments...) : *static_cast<T*>(there);
  }
};

// Adds one to a counter that only the holder of a lock changes.
void add_one(Word& total) {
  total.store(total.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// Runs work in which each step waits for the one before.
void run_section(std::uint64_t steps) {
  std::uint64_t number = 1;
  asm volatile("" : "+r"(number));
  for (std::uint64_t step = 0; step < steps; ++step) {
    number ^= number << 13;
    number ^= number >> 7;
    number ^= number << 17;
  }
  asm volatile("" : : "r"(number));
}

void add(const Worker& worker, bool is_long) {
  static_assert(sizeof(ipc::interprocess_mutex) <= TOTAL * 8, "the mutex ends before the counter");
  auto& mutex = worker.shared<ipc::interprocess_mutex>(0);
  Word& total = worker.shared<Word>(TOTAL, 0);
  worker.repeat([&] {
    ipc::scoped_lock<ipc::interprocess_mutex> locked(mutex);
    add_one(total);
    if (is_long) run_section(LONG_STEPS);
  });
}

// Repeats `hold`, which acquires, calls its argument, and releases. Measures how long each
// acquisition takes, as in `workloads/contention.rs`, and writes the counts as in
// `harness/waits.rs`.
template <class Hold>
void contend(const Worker& worker, std::map<std::string, std::string>& options, Hold hold) {
  const std::uint64_t steps = std::stoull(options["--argument"]) * LONG_STEPS / LONG_NS;
  std::map<std::uint64_t, std::uint64_t> waits;
  const auto write = [&] {
    std::ofstream file(options["--arena"] + "/waits-" + options["--mailbox"]);
    for (const auto& [ns, count] : waits) file << ns << ' ' << count << '\n';
    waits.clear();
  };
  worker.repeat(
      [&] {
        const std::uint64_t began_ns = now_ns();
        hold([&] {
          std::uint64_t ns = now_ns() - began_ns, unit = 1;
          while (ns / unit >= 128) unit *= 2;
          ++waits[ns / unit * unit];
          run_section(steps);
        });
      },
      write);
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
void read_and_write(const Worker& worker, const std::string& task) {
  auto& counted = worker.shared<Counted<Mutex>>(0);
  if (task == "read") return worker.repeat([&] { counted.read(); });
  if (task == "write") return worker.repeat([&] { counted.write(); });
  std::uint64_t operations = 0;
  worker.repeat([&] {
    if (++operations % OPERATIONS_PER_WRITE == 0)
      counted.write();
    else
      counted.read();
  });
}

// A flag and a condition for each side, under one mutex.
struct Conditions {
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
void take_turns(const Worker& worker, Turns& turns) {
  const std::size_t own = worker.number, other = 1 - own;
  if (own == GIVER)
    worker.repeat([&] { turns.give(other), turns.take(own); });
  else
    worker.repeat([&] { turns.take(own), turns.give(other); });
}

// Sends or receives messages, with priorities in turn.
void pass_messages(const Worker& worker, std::map<std::string, std::string>& options) {
  std::string name = options["--arena"] + "-" + options["--shared"];
  for (char& letter : name)
    if (letter == '/') letter = '_';
  std::uint64_t message[WORDS] = {};
  if (worker.creates) ipc::message_queue::remove(name.c_str());
  {
    ipc::message_queue queue(ipc::open_or_create, name.c_str(), DEPTH, sizeof message);
    const unsigned priorities = unsigned(std::stoul(options["--argument"]));
    unsigned priority = 0;
    std::size_t size;
    if (worker.number == RECEIVER)
      worker.repeat([&] { queue.receive(message, sizeof message, size, priority); });
    else
      worker.repeat([&] {
        queue.send(message, sizeof message, priority);
        priority = priority + 1 >= priorities ? 0 : priority + 1;
      });
  }
  ipc::message_queue::remove(name.c_str());
}

// A queue whose name is removed by the worker that creates it and again when it ends. A worker that
// polls only tries; one that sleeps waits.
class Link {
 public:
  Link(const Worker& worker, const std::map<std::string, std::string>& options, const char* way)
      : name_(options.at("--arena") + "-" + options.at("--shared") + way),
        message_((std::stoul(options.at("--argument")) & ~std::size_t(1)) / sizeof(std::uint64_t)),
        polls_(std::stoul(options.at("--argument")) % 2 == 0) {
    std::replace(name_.begin(), name_.end(), '/', '_');
    if (worker.creates) ipc::message_queue::remove(name_.c_str());
    const std::size_t depth = std::clamp<std::size_t>((256 << 10) / bytes(), 4, DEPTH);
    queue_ = std::make_unique<ipc::message_queue>(ipc::open_or_create, name_.c_str(), depth, bytes());
  }
  ~Link() { ipc::message_queue::remove(name_.c_str()); }

  void send() {
    ++message_[0];
    if (!polls_) return queue_->send(message_.data(), bytes(), 0);
    while (!queue_->try_send(message_.data(), bytes(), 0)) pause();
  }

  void receive() {
    ipc::message_queue::size_type size;
    unsigned priority;
    if (!polls_) return queue_->receive(message_.data(), bytes(), size, priority);
    while (!queue_->try_receive(message_.data(), bytes(), size, priority)) pause();
  }

 private:
  std::size_t bytes() const { return message_.size() * sizeof message_[0]; }
  static void pause() {
#if defined __x86_64__
    __builtin_ia32_pause();
#endif
  }

  std::string name_;
  std::vector<std::uint64_t> message_;
  bool polls_;
  std::unique_ptr<ipc::message_queue> queue_;
};

// Sends messages of as many bytes as the argument says there and back; both sides sleep if it is
// odd. Worker 0 begins.
void send_there_and_back(const Worker& worker, const std::map<std::string, std::string>& options) {
  Link there(worker, options, "-there"), back(worker, options, "-back");
  if (worker.number == 0)
    worker.repeat([&] { there.send(), back.receive(); });
  else
    worker.repeat([&] { there.receive(), back.send(); });
}

// Sends messages one way, to worker 0.
void send_one_way(const Worker& worker, const std::map<std::string, std::string>& options) {
  Link link(worker, options, "-flow");
  if (worker.number == RECEIVER)
    worker.repeat([&] { link.receive(); });
  else
    worker.repeat([&] { link.send(); });
}

// Returns whether there is such a workload.
bool run(const Worker& worker, const std::string& task, const std::string& peer,
         std::map<std::string, std::string>& options) {
  if (task == "mutex" || task == "long-mutex") {
    add(worker, task == "long-mutex");
  } else if (task == "read" || task == "write" || task == "read-mostly") {
    if (peer == "boost-upgradable")
      read_and_write<ipc::interprocess_upgradable_mutex>(worker, task);
    else
      read_and_write<ipc::interprocess_sharable_mutex>(worker, task);
  } else if (task == "fair") {
    auto& mutex = worker.shared<ipc::interprocess_mutex>(0);
    contend(worker, options, [&](auto section) {
      ipc::scoped_lock<ipc::interprocess_mutex> locked(mutex);
      section();
    });
  } else if (task == "fair-permit" || task == "fair-permits") {
    auto& semaphores = worker.shared<Semaphores>(0, task == "fair-permit" ? 1 : 2);
    contend(worker, options,
            [&](auto section) { semaphores.take(0), section(), semaphores.give(0); });
  } else if (task == "fair-condition") {
    auto& turns = worker.shared<Conditions>(0);
    const std::size_t others = GIVER + 1;
    if (worker.number == GIVER)
      worker.repeat([&] { turns.give(others), turns.take(GIVER); });
    else
      contend(worker, options,
              [&](auto section) { turns.take(others), section(), turns.give(GIVER); });
  } else if (task == "permit") {
    auto& semaphores = worker.shared<Semaphores>(0, 1);
    worker.repeat([&] { semaphores.take(0), semaphores.give(0); });
  } else if (task == "condition") {
    take_turns(worker, worker.shared<Conditions>(0));
  } else if (task == "semaphore") {
    take_turns(worker, worker.shared<Semaphores>(0, 0));
  } else if (task == "messages") {
    pass_messages(worker, options);
  } else if (task == "exchange") {
    send_there_and_back(worker, options);
  } else if (task == "flow") {
    send_one_way(worker, options);
  } else {
    return false;
  }
  return true;
}

int main(int argc, char** argv) {
  if (argc == 1) {
    std::cout << BOOST_LIB_VERSION << "\n";
    return 0;
  }
  std::map<std::string, std::string> options;
  for (int at = 2; at + 1 < argc; at += 2) options[argv[at]] = argv[at + 1];

  // Without this, the worker would outlive a killed controller and run forever.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::uint64_t cpu = std::stoull(options["--cpu"]);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(cpu, &cpus);
  const bool pinned = cpu == FREE || sched_setaffinity(0, sizeof cpus, &cpus) == 0;

  const int file = open((options["--arena"] + "/arena").c_str(), O_RDWR);
  struct stat status{};
  const bool known = fstat(file, &status) == 0;
  void* const mapped = mmap(nullptr, std::size_t(status.st_size), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_POPULATE, file, 0);
  if (!pinned || !known || mapped == MAP_FAILED) {
    std::cerr << "bench-boost: cannot pin itself or map the arena in " << options["--arena"] << "\n";
    return 1;
  }
  const auto words = static_cast<Word*>(mapped);
  const Worker worker{words + std::stoul(options["--mailbox"]),
                      words + std::stoul(options["--shared"]), options["--creates"] == "true",
                      std::stoul(options["--number"])};
  const std::string& workload = options["--workload"];
  const std::size_t slash = workload.find('/');
  if (!run(worker, workload.substr(0, slash), workload.substr(slash + 1), options)) {
    std::cerr << "bench-boost: no workload is called " << workload << "\n";
    return 1;
  }
}
