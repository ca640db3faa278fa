// Tells a hook that is in progress further up the stack from one that was left by longjmp out of a signal handler.
#pragma once
#include "native/process/thread_state.h"
#include "native/unwind/unwinder.h"

namespace nh::process {

// Whether the hook that holds `state` (null: a thread without a ring of its own) is gone. In doubt it is not.
bool is_abandoned(ThreadState* state, const unwind::Registers& at);

}  // namespace nh::process
