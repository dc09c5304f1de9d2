// Uses named shared memory through Win32:
//   write [NAME]      creates memory of 256 bytes and writes the time to it every 10 ms, as text
//                     with a zero byte at its end, until it is killed or its standard input ends
//   read N [NAME]     opens memory and prints the text after each change, N times
//   count NAME BYTE   prints how many of its bytes are BYTE
// The default NAME is ShareMemory.
//
// Build it with `x86_64-w64-mingw32-g++-posix -std=c++17 -O1 -static win32.cpp -o win32.exe`, or
// with `cl /std:c++17 /EHsc win32.cpp`.

#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr DWORD kSize = 256;
constexpr DWORD kEveryMs = 10;
constexpr DWORD kLookMs = 1;
// A reader gives up after this many reads without a change.
constexpr int kPatience = 20000;

int failed(const char* what) {
  std::fprintf(stderr, "%s failed: error %lu\n", what, GetLastError());
  return 1;
}

std::wstring wide(const char* text) {
  const int units = MultiByteToWideChar(CP_UTF8, 0, text, -1, nullptr, 0);
  std::wstring wide(static_cast<size_t>(units), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text, -1, &wide[0], units);
  return wide;
}

DWORD WINAPI end_with_input(void*) {
  char byte;
  DWORD got = 0;
  const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
  while (ReadFile(input, &byte, 1, &got, nullptr) && got == 1) {
  }
  ExitProcess(0);
}

int write(const std::wstring& name) {
  const HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, kSize,
                                            name.c_str());
  if (!section) return failed("CreateFileMappingW");
  auto* memory = static_cast<char*>(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0));
  if (!memory) return failed("MapViewOfFile");
  std::puts("writing");
  std::fflush(stdout);
  CloseHandle(CreateThread(nullptr, 0, end_with_input, nullptr, 0, nullptr));
  for (;;) {
    SYSTEMTIME now;
    GetSystemTime(&now);
    char text[64];
    std::snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", now.wYear, now.wMonth,
                  now.wDay, now.wHour, now.wMinute, now.wSecond, now.wMilliseconds);
    std::memcpy(memory, text, std::strlen(text) + 1);
    Sleep(kEveryMs);
  }
}

// Returns the text in the first bytes of the memory. Another process can be writing it.
std::string text_of(const char* memory) {
  std::string text;
  for (DWORD at = 0; at < 64; ++at) {
    const char letter = reinterpret_cast<const volatile char*>(memory)[at];
    if (letter == '\0') break;
    text += letter;
  }
  return text;
}

int read(const std::wstring& name, int changes) {
  const HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, name.c_str());
  if (!section) return failed("OpenFileMappingW");
  const auto* memory = static_cast<const char*>(MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0));
  if (!memory) return failed("MapViewOfFile");
  std::string shown = text_of(memory);
  int quiet = 0;
  while (changes > 0) {
    const std::string text = text_of(memory);
    if (text != shown) {
      std::puts(text.c_str());
      std::fflush(stdout);
      shown = text;
      --changes;
      quiet = 0;
    } else if (++quiet > kPatience) {
      std::fprintf(stderr, "nothing has changed in %d looks\n", kPatience);
      return 1;
    }
    Sleep(kLookMs);
  }
  UnmapViewOfFile(memory);
  CloseHandle(section);
  return 0;
}

int count(const std::wstring& name, int byte) {
  const HANDLE section = OpenFileMappingW(FILE_MAP_READ, FALSE, name.c_str());
  if (!section) return failed("OpenFileMappingW");
  const auto* memory =
      static_cast<const unsigned char*>(MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0));
  if (!memory) return failed("MapViewOfFile");
  MEMORY_BASIC_INFORMATION about;
  if (!VirtualQuery(memory, &about, sizeof about)) return failed("VirtualQuery");
  size_t found = 0;
  for (size_t at = 0; at < about.RegionSize; ++at) found += memory[at] == byte;
  std::printf("%llu of %llu\n", static_cast<unsigned long long>(found),
              static_cast<unsigned long long>(about.RegionSize));
  UnmapViewOfFile(memory);
  CloseHandle(section);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string task = argc > 1 ? argv[1] : "";
  if (task == "write" && argc <= 3) return write(wide(argc > 2 ? argv[2] : "ShareMemory"));
  if (task == "read" && argc >= 3 && argc <= 4) {
    return read(wide(argc > 3 ? argv[3] : "ShareMemory"), std::atoi(argv[2]));
  }
  if (task == "count" && argc == 4) return count(wide(argv[2]), std::atoi(argv[3]));
  std::fputs("usage: write [NAME] | read N [NAME] | count NAME BYTE\n", stderr);
  return 2;
}
