// What the events of one process add up to, and whether they keep the promises of records.def.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "tests/native/shim/collector.h"

namespace nh::test {

struct Totals {
    int64_t allocations = 0, frees = 0, allocated_bytes = 0, live_blocks = 0, live_bytes = 0;
    int64_t foreign_frees = 0;  // of blocks that this process was not seen to allocate
    int64_t failed_resizes = 0;
    int64_t threads = 0;                        // distinct tids
    std::array<int64_t, 16> entry_blocks = {};  // by wire::marker
    std::string broken;                         // the first promise that was not kept, empty: none

    Totals operator-(const Totals& other) const;
};

// Of each process slot that wrote. Numbers of a stripe must be consecutive from 1, and an address must be born before
// it dies.
std::map<uint32_t, Totals> settle_slots(const Image& image);
Totals settle(const Image& image, uint32_t slot);

// Over every process of every image.
Totals settle_all(const Collector& collector);

}  // namespace nh::test
