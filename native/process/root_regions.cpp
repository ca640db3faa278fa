#include "native/process/root_regions.h"

#include <stdint.h>

#include "native/unwind/try_lock.h"

namespace nh::process {
namespace {

constexpr uint64_t most_regions = 256;

struct RootRegion {
    uint64_t start;
    uint64_t bytes;  // 0: a free place
};

// Found from outside by its mark (src/Collect/Checks/ShimMemory.cs), as own_memory.
struct RootRegions {
    char mark[8];
    uint64_t count;  // places in use, free ones among them
    RootRegion regions[most_regions];
};

[[gnu::used]] RootRegions root_regions = {{'N', 'H', 'E', 'A', 'P', 'R', 'O', 'T'}, 0, {}};
unwind::TryLock lock;

RootRegion* find(uint64_t start, uint64_t bytes) {
    for (uint64_t i = 0; i < root_regions.count; ++i) {
        RootRegion* region = &root_regions.regions[i];
        if (region->bytes == bytes && (bytes == 0 || region->start == start)) {
            return region;
        }
    }
    return nullptr;
}

}  // namespace

void add_root_region(const void* start, size_t bytes) {
    unwind::TryLock::Hold hold(lock);
    if (bytes == 0 || !hold.held()) {
        return;
    }
    RootRegion* place = find(0, 0);
    if (place == nullptr && root_regions.count < most_regions) {
        place = &root_regions.regions[root_regions.count++];
    }
    if (place != nullptr) {
        *place = {reinterpret_cast<uint64_t>(start), bytes};
    }
}

void remove_root_region(const void* start, size_t bytes) {
    unwind::TryLock::Hold hold(lock);
    if (bytes == 0 || !hold.held()) {
        return;
    }
    if (RootRegion* region = find(reinterpret_cast<uint64_t>(start), bytes)) {
        *region = {};
    }
}

}  // namespace nh::process
