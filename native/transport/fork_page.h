// Memory that the kernel wipes in a forked child (MADV_WIPEONFORK; after fork and raw clone, not after vfork).
#pragma once
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::transport {

struct alignas(4096) ForkPage {
    uint32_t recording;  // the recording mark while this very process records; 0 before, after switching off, and in a
                         // forked child that has not noticed yet
    uint32_t handling;   // a thread of the child is taking note of the fork
    uint32_t joined;     // this very process has recorded: it did the handshake, or has followed its fork
    uint32_t changing;   // a thread attaches or detaches
    uint32_t mapping_order;
    alignas(4096) uint32_t order[wire::order_stripes];
};

// Static, so that the hooks reach it without a pointer; page-aligned zero-filled data is anonymous memory.
extern ForkPage fork_page __attribute__((visibility("hidden")));

// False when the kernel cannot wipe (before 4.14).
bool wipe_fork_page_on_fork();

// A recording mark is the process slot + 1 in its lower bits and above them the number of the session, which grows each
// time this process is attached anew: what belongs to an earlier one is told by it.
constexpr uint32_t slot_bits = 17;

// 0 when this process does not record. Who sees another value sees all that was made ready for recording.
inline uint32_t recording_mark() {
    return __atomic_load_n(&fork_page.recording, __ATOMIC_ACQUIRE);
}

// Of a mark that is not 0.
inline uint32_t slot_of(uint32_t mark) {
    return (mark & ((1u << slot_bits) - 1)) - 1;
}

// A word of libc's that is not 0 while the process has one thread (glibc since 2.32, sys/single_threaded.h), or one of
// our own that is 0. An addition by one instruction is whole for that thread and its signal handlers, and takes a third
// of the time of one that is whole for all processors.
extern const char* one_thread __attribute__((visibility("hidden")));

// word: null where libc has none.
void begin_with_one_thread(const char* word);

// There are others, whatever libc says: it knows its own alone. For good.
void expect_threads();

// The last number of the address's stripe.
inline uint32_t* last_order(uintptr_t address) {
    return &fork_page.order[(address >> 4) * wire::stripe_multiplier >> wire::stripe_shift];
}

// The next number of the address's stripe; the first is 1. Numbers have no gaps: one that is taken must be sent, or
// given back.
inline uint32_t next_order(uintptr_t address) {
    uint32_t* last = last_order(address);
#if defined(__x86_64__)
    if (*__atomic_load_n(&one_thread, __ATOMIC_RELAXED) != 0) {
        uint32_t number = 1;
        asm volatile("xaddl %0, %1" : "+r"(number), "+m"(*last));
        return number + 1;
    }
#endif
    return __atomic_add_fetch(last, 1, __ATOMIC_RELAXED);
}

// If no other was taken since. Number 0 is none.
inline void give_back(uint32_t* last, uint32_t number) {
    uint32_t expected = number;
    if (number != 0) {
        __atomic_compare_exchange_n(last, &expected, number - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

// The same for mappings, which have one counter for all: a range may hold any number of them.
inline uint32_t next_mapping_order() {
    return __atomic_add_fetch(&fork_page.mapping_order, 1, __ATOMIC_RELAXED);
}

}  // namespace nh::transport
