#include "native/stacks/wide_index.h"

#include <sys/mman.h>

namespace nh::stacks {

bool WideIndex::open() {
    if (entries_ != nullptr) {
        return true;  // what it names is checked against the nodes
    }
    void* memory =
        mmap(nullptr, sizeof(uint32_t) * ways << set_bits, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    entries_ = memory == MAP_FAILED ? nullptr : static_cast<uint32_t*>(memory);
    return entries_ != nullptr;
}

uint64_t WideIndex::hash(uint32_t parent, uint64_t pc) {
    uint64_t mixed = pc ^ parent * 0xC2B2AE3D27D4EB4F;
    mixed ^= mixed >> 32;
    return mixed * 0x9E3779B97F4A7C15;
}

uint32_t WideIndex::find(const Tree& tree, uint32_t parent, uint64_t pc) const {
    const uint32_t* set = entries_ + (hash(parent, pc) >> (64 - set_bits)) * ways;
    for (uint32_t way = 0; way < ways; ++way) {
        const uint32_t child = __atomic_load_n(&set[way], __ATOMIC_ACQUIRE);
        if (child != 0 && child < tree.capacity && tree.nodes[child].pc == pc && tree.nodes[child].parent == parent) {
            return child;
        }
    }
    return 0;
}

void WideIndex::add(uint32_t parent, uint64_t pc, uint32_t child) {
    const uint64_t hashed = hash(parent, pc);
    uint32_t* set = entries_ + (hashed >> (64 - set_bits)) * ways;
    for (uint32_t way = 0; way < ways; ++way) {
        uint32_t empty = 0;
        if (__atomic_compare_exchange_n(&set[way], &empty, child, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            return;
        }
    }
    __atomic_store_n(&set[hashed & (ways - 1)], child, __ATOMIC_RELEASE);
}

}  // namespace nh::stacks
