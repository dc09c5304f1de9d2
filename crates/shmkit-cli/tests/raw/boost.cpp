// Uses named shared memory through Boost:
//   fill NAME SIZE BYTE   creates memory of SIZE bytes and fills it
//   count NAME BYTE       prints how many of its bytes are BYTE
//   remove NAME

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <string>

namespace ipc = boost::interprocess;

int main(int argc, char** argv) {
  const std::string task = argc > 2 ? argv[1] : "";
  if (task == "fill" && argc == 5) {
    ipc::shared_memory_object memory(ipc::create_only, argv[2], ipc::read_write);
    memory.truncate(std::stoll(argv[3]));
    ipc::mapped_region region(memory, ipc::read_write);
    std::memset(region.get_address(), std::stoi(argv[4]), region.get_size());
    return 0;
  }
  if (task == "count" && argc == 4) {
    ipc::shared_memory_object memory(ipc::open_only, argv[2], ipc::read_only);
    ipc::mapped_region region(memory, ipc::read_only);
    const auto* bytes = static_cast<const unsigned char*>(region.get_address());
    const auto byte = static_cast<unsigned char>(std::stoi(argv[3]));
    std::cout << std::count(bytes, bytes + region.get_size(), byte) << " of "
              << region.get_size() << "\n";
    return 0;
  }
  if (task == "remove") {
    return ipc::shared_memory_object::remove(argv[2]) ? 0 : 1;
  }
  std::cerr << "usage: fill NAME SIZE BYTE | count NAME BYTE | remove NAME\n";
  return 2;
}
