// Built with -fno-omit-frame-pointer.
#include "tests/native/unwind/recursion.h"

namespace nh::unwind::test {

// Negative levels go on in recurse_mixed, so that the two alternate.
[[gnu::noinline]] void recurse_with_frame_pointer(int levels, void (*then)()) {
    if (levels < 0) {
        recurse_mixed(-levels - 1, then);
    } else if (levels <= 1) {
        then();
    } else {
        recurse_with_frame_pointer(levels - 1, then);
    }
    asm volatile("");
}

}  // namespace nh::unwind::test
