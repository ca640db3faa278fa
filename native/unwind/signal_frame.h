// The x86-64 signal frame: on a handler's return the stack pointer points to the ucontext
// (arch/x86/include/uapi/asm/ucontext.h and sigcontext.h of the kernel).
#pragma once
#include "native/unwind/expression.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

inline constexpr uintptr_t mcontext_offset = 40;
inline constexpr uint32_t mcontext_words = 17;
// Place of each DWARF register in the mcontext: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
inline constexpr uint8_t mcontext_place[register_count] = {13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16};

// The saved registers, or null when they cannot be read.
inline const uintptr_t* saved_context(uintptr_t sp, StackWindow& window) {
    const uintptr_t first = sp + mcontext_offset;
    const bool whole = window.above(first, sp) && window.readable(first + (mcontext_words - 1) * sizeof(uintptr_t));
    return whole ? reinterpret_cast<const uintptr_t*>(first) : nullptr;
}

// The interrupted frame; its pc + 1 (see wire::node). The walk goes on on the interrupted stack.
inline bool leave_signal_frame(RegisterFile* registers, StackWindow& window) {
    const uintptr_t* context = saved_context(registers->value[rsp], window);
    if (context == nullptr) {
        return false;
    }
    for (uint32_t number = 0; number < register_count; ++number) {
        registers->set(number, context[mcontext_place[number]]);
    }
    ++registers->value[rip];
    window.enter(registers->value[rsp], true);
    return true;
}

inline bool leave_signal_frame(Registers* frame, StackWindow& window) {
    const uintptr_t* context = saved_context(frame->sp, window);
    if (context == nullptr) {
        return false;
    }
    *frame = {context[mcontext_place[rip]] + 1, context[mcontext_place[rsp]], context[mcontext_place[rbp]]};
    window.enter(frame->sp, true);
    return true;
}

}  // namespace nh::unwind
