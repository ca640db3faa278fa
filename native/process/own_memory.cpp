#include "native/process/own_memory.h"

#include <stdint.h>

extern "C" {
__attribute__((visibility("hidden"))) extern const char __bss_start[];
__attribute__((visibility("hidden"))) extern const char _end[];
}

namespace nh::process {
namespace {

constexpr uint64_t most_ranges = 16;

struct Range {
    uint64_t start;
    uint64_t bytes;
};

// Found from outside by its mark (src/Collect/Checks/ShimMemory.cs); in initialized data, whose mapping bears our name.
struct OwnMemory {
    char mark[8];
    uint64_t count;
    Range ranges[most_ranges];
};

[[gnu::used]] OwnMemory own_memory = {{'N', 'H', 'E', 'A', 'P', 'O', 'W', 'N'}, 0, {}};

void add(const void* start, size_t bytes) {
    if (own_memory.count < most_ranges) {
        own_memory.ranges[own_memory.count] = {reinterpret_cast<uint64_t>(start), bytes};
        own_memory.count++;
    }
}

}  // namespace

void note_own_memory(const void* start, size_t bytes) {
    if (own_memory.count == 0) {
        add(__bss_start, static_cast<size_t>(_end - __bss_start));
    }
    add(start, bytes);
}

}  // namespace nh::process
