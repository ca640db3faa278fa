// Gives a thread's ring back when the thread ends.
#pragma once
#include "native/process/thread_state.h"

namespace nh::process {

// Once, at start. Without thread-specific data in the program (no libpthread on an old libc) there are no ends to see.
void prepare_thread_exit();

// For the calling thread, after it got a ring.
void release_at_thread_exit(ThreadState* state);

}  // namespace nh::process
