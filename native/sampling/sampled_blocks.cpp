#include "native/sampling/sampled_blocks.h"

#include <sys/mman.h>

#include "native/transport/kernel.h"

namespace nh::sampling {
namespace {

constexpr size_t nowhere = ~size_t{0};

}  // namespace

constinit SampledBlocks sampled_blocks = {};

constexpr size_t SampledBlocks::slots_before(uint32_t level) {
    size_t slots = 0;
    for (uint32_t i = 0; i < level; i++) {
        slots += size_t{set_slots} << (first_level_bits + 2 * i);
    }
    return slots;
}

constexpr size_t SampledBlocks::bytes_of(uint32_t levels) {
    return slots_before(levels) * (sizeof(*addresses_) + sizeof(*details_));
}

bool SampledBlocks::open(uint64_t most_bytes) {
    if (addresses_ != nullptr) {
        for (uint8_t& counter : filter_) {
            __atomic_store_n(&counter, 0, __ATOMIC_RELAXED);
        }
        return transport::kernel::madvise(addresses_, bytes_of(levels_), MADV_DONTNEED) == 0;
    }
    uint32_t levels = most_levels;
    while (levels > 1 && most_bytes != 0 && bytes_of(levels) > most_bytes) {
        levels--;
    }
    void* memory = transport::kernel::mmap(nullptr, bytes_of(levels), PROT_READ | PROT_WRITE,
                                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    if (transport::kernel::is_error(memory)) {
        return false;
    }
    transport::kernel::madvise(memory, bytes_of(levels), MADV_DONTDUMP);
    addresses_ = static_cast<uintptr_t*>(memory);
    details_ = reinterpret_cast<Details*>(addresses_ + slots_before(levels));
    levels_ = levels;
    used_levels_ = 1;
    return true;
}

size_t SampledBlocks::set_of(uintptr_t address, uint32_t level) {
    // Not the bits that the filter takes: what it cannot tell apart should lie in different sets.
    const uint64_t spread = hash(address) * 0xC2B2AE3D27D4EB4F;
    return slots_before(level) + (spread >> (64 - (first_level_bits + 2 * level))) * set_slots;
}

size_t SampledBlocks::find(uintptr_t address) const {
    if (address == 0) {
        return nowhere;  // it would be found in every empty slot
    }
    const uint32_t used = __atomic_load_n(&used_levels_, __ATOMIC_RELAXED);
    for (uint32_t level = 0; level < used; level++) {
        const size_t set = set_of(address, level);
        for (size_t slot = set; slot < set + set_slots; slot++) {
            if (__atomic_load_n(&addresses_[slot], __ATOMIC_RELAXED) == address) {
                return slot;
            }
        }
    }
    return nowhere;
}

bool SampledBlocks::holds(uintptr_t address) const {
    return find(address) != nowhere;
}

// Raised before the address is in and lowered after it is out.
void SampledBlocks::raise(uintptr_t address) {
    uint8_t* counter = &filter_[filter_place(address)];
    uint8_t seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
    while (seen != filter_full && !__atomic_compare_exchange_n(counter, &seen, static_cast<uint8_t>(seen + 1), true,
                                                               __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

void SampledBlocks::lower(uintptr_t address) {
    uint8_t* counter = &filter_[filter_place(address)];
    uint8_t seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
    while (seen != filter_full && seen != 0 &&
           !__atomic_compare_exchange_n(counter, &seen, static_cast<uint8_t>(seen - 1), true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {
    }
}

size_t SampledBlocks::claim(uintptr_t address) {
    for (uint32_t level = 0; level < levels_; level++) {
        uint32_t used = __atomic_load_n(&used_levels_, __ATOMIC_RELAXED);
        while (used <= level && !__atomic_compare_exchange_n(&used_levels_, &used, level + 1, true, __ATOMIC_RELAXED,
                                                             __ATOMIC_RELAXED)) {
        }
        const size_t set = set_of(address, level);
        for (size_t slot = set; slot < set + set_slots; slot++) {
            uintptr_t empty = 0;
            if (__atomic_load_n(&addresses_[slot], __ATOMIC_RELAXED) == 0 &&
                __atomic_compare_exchange_n(&addresses_[slot], &empty, address, false, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                return slot;
            }
        }
    }
    return nowhere;
}

bool SampledBlocks::add(uintptr_t address, const Details& details) {
    // One that is in already was freed unseen (by a call that was made within one of our own).
    size_t place = find(address);
    if (place == nowhere) {
        raise(address);
        place = claim(address);
    }
    if (place == nowhere) {
        lower(address);
        return false;
    }
    // Nobody else asks for this address before our caller has given it away.
    details_[place] = details;
    return true;
}

bool SampledBlocks::remove(uintptr_t address, Details* details) {
    const size_t place = find(address);
    if (place == nowhere) {
        return false;
    }
    *details = details_[place];
    __atomic_store_n(&addresses_[place], 0, __ATOMIC_RELEASE);
    lower(address);
    return true;
}

}  // namespace nh::sampling
