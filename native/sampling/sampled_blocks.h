// The blocks that were recorded as samples and live: whose frees are to be recorded, too.
//
// A filter of counters answers for nearly every free, and a block that is in is never missed: its counter is raised
// before its allocation returns, and whoever frees it has it from that allocation. Behind it stand the exact
// addresses. Both are words changed by single atomic steps, so threads need no lock and a forked child's copy is whole
// at any moment; a counter that such a copy has too many only costs a look at the addresses.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace nh::sampling {

class SampledBlocks {
  public:
    struct Details {
        uint64_t bytes;
        uint64_t tag;   // what the caller makes of it
        uint64_t mean;  // at which it was sampled
    };

    // Reserves 44 MB of address space, or less where that is more than `most_bytes` (0: no limit), and then has room
    // for fewer blocks; pages are used as blocks come. False when there is none: no block is in then, nor can be added.
    // Called again, it forgets all blocks, while nothing is recorded.
    bool open(uint64_t most_bytes = 0);

    // Adds a block that lives and is not in. False: no room, which takes half a million of them.
    bool add(uintptr_t address, const Details& details);

    // True: maybe in. False: certainly not.
    bool may_hold(uintptr_t address) const {
        return __builtin_expect(__atomic_load_n(&filter_[filter_place(address)], __ATOMIC_RELAXED) != 0, 0);
    }

    bool holds(uintptr_t address) const;

    // Takes a block out that is about to be freed. False: it is not in.
    bool remove(uintptr_t address, Details* details);

  private:
    static constexpr uint32_t filter_bits = 15;
    static constexpr uint8_t filter_full = 255;  // stays: nobody knows how many there were
    static constexpr uint32_t set_slots = 8;     // a cache line of addresses
    // A set that is full overflows into one of the next level, four times as large.
    static constexpr uint32_t most_levels = 3;
    static constexpr uint32_t first_level_bits = 13;  // sets of the first

    static uint64_t hash(uintptr_t address) { return (address >> 4) * 0x9E3779B97F4A7C15; }
    static uint32_t filter_place(uintptr_t address) {
        return static_cast<uint32_t>(hash(address) >> (64 - filter_bits));
    }
    static constexpr size_t slots_before(uint32_t level);
    static constexpr size_t bytes_of(uint32_t levels);
    static size_t set_of(uintptr_t address, uint32_t level);
    size_t claim(uintptr_t address);

    size_t find(uintptr_t address) const;
    void raise(uintptr_t address);
    void lower(uintptr_t address);

    uint8_t filter_[1u << filter_bits];
    uintptr_t* addresses_;
    Details* details_;
    uint32_t levels_;
    uint32_t used_levels_;
};

// Those of this process.
extern SampledBlocks sampled_blocks __attribute__((visibility("hidden")));

}  // namespace nh::sampling
