// x86-64 behind architecture.h. Registers and calls: System V psABI for AMD64.
#pragma once
#include <stdint.h>

namespace nh::unwind {

// DWARF register numbers (psABI, figure 3.36).
enum RegisterNumber : uint8_t { rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rip };
inline constexpr uint32_t register_count = 17;
inline constexpr RegisterNumber stack_pointer = rsp;
inline constexpr RegisterNumber frame_pointer = rbp;
inline constexpr RegisterNumber return_register = rip;
inline constexpr RegisterNumber program_counter = rip;

using RegisterSet = uint32_t;
inline constexpr RegisterSet callee_saved =
    1u << rbx | 1u << rbp | 1u << r12 | 1u << r13 | 1u << r14 | 1u << r15 | 1u << rsp | 1u << rip;
inline constexpr RegisterSet preserved_at_interrupt = 0;

inline constexpr uint32_t code_address_bits = 47;

// A .NET runtime's code is walked by its own tables (managed_code.h), else by the frame pointer.
inline constexpr bool reads_managed_code = true;

// The kernel that answers is the machine's.
inline constexpr bool may_be_emulated = false;

// A call pushes the return address: it is always in memory, right below the CFA.
inline constexpr bool has_link_register = false;
struct Link {
    static constexpr bool is_known = false;
    static constexpr uintptr_t value = 0;
};
struct ReturnSlot {
    static constexpr ReturnSlot at(uintptr_t) { return {}; }
    uintptr_t address(uintptr_t cfa) const { return cfa - sizeof(uintptr_t); }
};
constexpr uintptr_t stripped(uintptr_t return_address) {
    return return_address;
}

// Kind in bits 0-3, the CFA's offset in 4-31, the frame pointer's in 32-63.
struct RowLayout {
    static constexpr int64_t most_cfa_offset = (1 << 27) - 1;

    static constexpr bool fits(int64_t cfa, int64_t fp, int64_t return_address) {
        return cfa <= most_cfa_offset && cfa >= -most_cfa_offset && fp == static_cast<int32_t>(fp) &&
               return_address == -static_cast<int64_t>(sizeof(uintptr_t));
    }
    static constexpr uint64_t pack(int64_t cfa, int64_t fp, int64_t) {
        return (static_cast<uint64_t>(cfa) & 0xFFFFFFF) << 4 | static_cast<uint64_t>(static_cast<uint32_t>(fp)) << 32;
    }
    static intptr_t cfa_offset(uint64_t bits) { return static_cast<int32_t>(static_cast<uint32_t>(bits)) >> 4; }
    static intptr_t fp_offset(uint64_t bits) { return static_cast<int64_t>(bits) >> 32; }
    static constexpr intptr_t return_offset(uint64_t) { return -static_cast<intptr_t>(sizeof(uintptr_t)); }
};

// On a handler's return the stack pointer points to the ucontext (arch/x86/include/uapi/asm/ucontext.h and sigcontext.h
// of the kernel). Its registers: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
inline constexpr uintptr_t mcontext_offset = 40;
inline constexpr uint32_t mcontext_words = 17;
inline constexpr uint8_t mcontext_place[register_count] = {13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16};
inline Link interrupted_link(const uintptr_t*) {
    return {};
}

// `mov $15, %rax; syscall`: rt_sigreturn. Libc gives it to the kernel, so it lies in a module.
inline constexpr uint8_t signal_return_code[] = {0x48, 0xC7, 0xC0, 0x0F, 0x00, 0x00, 0x00, 0x0F, 0x05};
inline constexpr bool signal_return_may_lie_bare = false;

// Whether a call ends right before pc; most_call_bytes before it can be read.
inline constexpr uintptr_t most_call_bytes = 7;
inline bool is_call_before(uintptr_t pc) {
    auto before = reinterpret_cast<const uint8_t*>(pc);
    if (before[-5] == 0xE8) {
        return true;
    }
    // FF /2: register (2 bytes, 3 with a prefix), [register + 8 bits] (3, 4), [rip + 32 bits] and the like (6, 7).
    const bool by_register = before[-2] == 0xFF && (before[-1] & 0xF8) == 0xD0;
    const bool by_near_word = before[-3] == 0xFF && (before[-2] & 0xF8) == 0x50;
    const bool by_far_word = before[-6] == 0xFF && (before[-5] & 0x38) == 0x10;
    return by_register || by_near_word || by_far_word;
}

// Registers that calls preserve and __builtin_unwind_init() puts right below the frame pointer: rbx, r12 to r15.
inline constexpr uintptr_t saved_below_frame_pointer = 5;

inline long system_call(long number, long a, long b, long c, long d) {
    register long r10 asm("r10") = d;
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

// The word that libc keeps for each thread at the thread pointer: its own address.
inline uintptr_t thread_pointer() {
    uintptr_t value;
    asm("movq %%fs:0, %0" : "=r"(value));
    return value;
}

// Somebody else is to get on.
inline void pause_a_moment() {
    __builtin_ia32_pause();
}

}  // namespace nh::unwind
