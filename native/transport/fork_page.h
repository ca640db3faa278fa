// Memory that the kernel wipes in a forked child (MADV_WIPEONFORK; after fork and raw clone, not after vfork).
#pragma once
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::transport {

struct alignas(4096) ForkPage {
    uint32_t recording;  // process slot + 1 while this very process records; 0 before, after switching off, and in a
                         // forked child that has not noticed yet
    uint32_t handling;   // a thread of the child is taking note of the fork
    alignas(4096) uint32_t order[wire::order_stripes];
};

// Static, so that the hooks reach it without a pointer; page-aligned zero-filled data is anonymous memory.
extern ForkPage fork_page;

// False when the kernel cannot wipe (before 4.14).
bool wipe_fork_page_on_fork();

// 0 when this process does not record.
inline uint32_t recording_mark() {
    return __atomic_load_n(&fork_page.recording, __ATOMIC_RELAXED);
}

// The next number of the address's stripe; the first is 1. Numbers have no gaps: one that is taken must be sent.
inline uint32_t next_order(uintptr_t address) {
    uint32_t stripe = static_cast<uint32_t>((address >> 4) * wire::stripe_multiplier >> wire::stripe_shift);
    return __atomic_add_fetch(&fork_page.order[stripe], 1, __ATOMIC_RELAXED);
}

}  // namespace nh::transport
