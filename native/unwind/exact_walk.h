// The slow walk: follows all registers by interpreting call-frame information frame by frame. For stacks with a frame
// whose CFA or return address depends on registers that compact rows do not follow (the lazy-binding trampoline's RBX,
// hand-written assembly, interrupted prologues that realign the stack by R10).
#pragma once
#include <stdint.h>

#include "native/unwind/expression.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

// As walk(), for a call that is active on this thread's stack above the caller's own frame.
uint32_t exact_walk(const Registers& at, StackWindow& window, uintptr_t* pcs, uint32_t capacity, StackEnd* end);

enum class Step : uint8_t {
    moved,
    guessed,  // moved by the frame pointer of code that nothing describes
    root,
    lost,
    exact,  // only by all registers, which exact_step has
};

// One step outwards. On a step out of a signal frame the pc is the interrupted one + 1 and all registers are known.
Step exact_step(RegisterFile* registers, StackWindow& window);

}  // namespace nh::unwind
