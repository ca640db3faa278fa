// What a program has told us about its own blocks.
#pragma once
#include <stdint.h>

namespace nh::interpose {

// How often the calling thread has said that what it allocates is no leak, and not taken it back.
extern thread_local constinit uintptr_t ignoring __attribute__((tls_model("initial-exec")));

}  // namespace nh::interpose
