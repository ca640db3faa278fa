// Built with -fomit-frame-pointer.
#include <alloca.h>
#include <string.h>

#include "tests/native/unwind/recursion.h"

namespace nh::unwind::test {

[[gnu::noinline]] void recurse_without_frame_pointer(int levels, void (*then)()) {
    if (levels <= 1) {
        then();
    } else {
        recurse_without_frame_pointer(levels - 1, then);
    }
    asm volatile("");
}

[[gnu::noinline]] void recurse_mixed(int levels, void (*then)()) {
    if (levels <= 1) {
        then();
    } else {
        recurse_with_frame_pointer(-levels, then);
    }
    asm volatile("");
}

[[gnu::noinline]] void with_variable_frame(size_t bytes, void (*then)()) {
    auto block = static_cast<char*>(alloca(bytes));
    memset(block, 1, bytes);
    asm volatile("" : : "r"(block) : "memory");
    then();
    asm volatile("");
}

[[gnu::noinline]] void jump_from_depth(int levels, jmp_buf place, int value) {
    if (levels == 0) {
        longjmp(place, value);
    }
    jump_from_depth(levels - 1, place, value);
}

}  // namespace nh::unwind::test
