// Out of the kernel's signal frame, which holds all registers.
#pragma once
#include "native/unwind/expression.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

// The saved registers, or null when they cannot be read.
inline const uintptr_t* saved_context(uintptr_t sp, StackWindow& window) {
    const uintptr_t first = sp + mcontext_offset;
    const bool whole = window.above(first, sp) && window.readable(first + (mcontext_words - 1) * sizeof(uintptr_t));
    return whole ? reinterpret_cast<const uintptr_t*>(first) : nullptr;
}

// The interrupted frame; its pc + 1 (see wire::node). The walk goes on on the interrupted stack.
inline bool leave_signal_frame(RegisterFile* registers, StackWindow& window) {
    const uintptr_t* context = saved_context(registers->value[stack_pointer], window);
    if (context == nullptr) {
        return false;
    }
    for (uint32_t number = 0; number < register_count; ++number) {
        registers->set(number, context[mcontext_place[number]]);
    }
    ++registers->value[program_counter];
    window.enter(registers->value[stack_pointer], true);
    return true;
}

inline bool leave_signal_frame(Registers* frame, StackWindow& window) {
    const uintptr_t* context = saved_context(frame->sp, window);
    if (context == nullptr) {
        return false;
    }
    *frame = {context[mcontext_place[program_counter]] + 1, context[mcontext_place[stack_pointer]],
              context[mcontext_place[frame_pointer]], interrupted_link(context)};
    window.enter(frame->sp, true);
    return true;
}

}  // namespace nh::unwind
