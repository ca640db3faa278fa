// Takes the calling thread's stack by our walk and by libunwind.
#pragma once
#include <stdint.h>

#include <span>
#include <string>
#include <vector>

#include "native/unwind/unwinder.h"

namespace nh::unwind::test {

struct Walk {
    std::vector<uintptr_t> pcs;
    StackEnd end;
};

struct BothWalks {
    Walk ours;
    std::vector<uintptr_t> libunwind;  // in our convention: an interrupted pc is stored + 1
    bool exact = false;                // a frame on the stack needed the exact walk
};

// Prepares the unwinder once for the whole test program.
void prepare();

struct SharedModules {
    wire::module* modules;
    uint32_t* count;
    uint64_t* clock_ns;
};
SharedModules shared_modules();

// What was said of reused code so far.
std::span<const wire::reused_code> told_reuses();

// The bounds that this thread's walks use; zero-filled on its first call.
StackBounds& thread_bounds();

// The stack of the function that calls this, its own pc first.
[[gnu::noinline]] BothWalks take_both();
[[gnu::noinline]] Walk take_ours();

// Names for a failure's message.
std::string describe(const BothWalks& walks);

// Fails unless both walks give the same frames.
void expect_same(const BothWalks& walks);

// How often the function with these bounds occurs.
template <typename Function>
size_t count_frames(const std::vector<uintptr_t>& pcs, Function function, size_t size) {
    const auto start = reinterpret_cast<uintptr_t>(function);
    size_t found = 0;
    for (uintptr_t pc : pcs) {
        found += pc > start && pc <= start + size;
    }
    return found;
}

}  // namespace nh::unwind::test
