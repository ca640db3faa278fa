// aarch64 behind architecture.h. Calls: "Procedure Call Standard for the Arm 64-bit Architecture" (AAPCS64); DWARF:
// "DWARF for the Arm 64-bit Architecture".
#pragma once
#include <stdint.h>

namespace nh::unwind {

// DWARF register numbers; x0 to x30 are 0 to 30. Vector registers (64 and up) lead to no frame and are passed over.
enum RegisterNumber : uint8_t { x19 = 19, x29 = 29, x30 = 30, stack_pointer = 31, program_counter = 32 };
inline constexpr uint32_t register_count = 33;
inline constexpr RegisterNumber frame_pointer = x29;
inline constexpr RegisterNumber return_register = x30;

// x19 to x29, and what every frame has.
using RegisterSet = uint64_t;
inline constexpr RegisterSet callee_saved =
    uint64_t{0x7FF} << x19 | uint64_t{1} << stack_pointer | uint64_t{1} << program_counter;
// A call overwrites x30; only where code was interrupted it may hold the return address of a leaf, or of a function
// that has not stored it yet.
inline constexpr RegisterSet preserved_at_interrupt = uint64_t{1} << x30;

inline constexpr uint32_t code_address_bits = 48;

// Code of a .NET runtime is walked by the frame pointer, which it always keeps here.
inline constexpr bool reads_managed_code = false;

// Seen from outside, the program that the kernel runs may be an emulator of this processor (qemu-user). It shows its
// program the right name, and does not do all that it says.
inline constexpr bool may_be_emulated = true;

// A call puts the return address into x30, and the callee stores it where it likes.
inline constexpr bool has_link_register = true;
struct Link {
    uintptr_t value;
    bool is_known;
};
struct ReturnSlot {
    uintptr_t slot;
    static constexpr ReturnSlot at(uintptr_t slot) { return {slot}; }
    uintptr_t address(uintptr_t) const { return slot; }
};

// Without the signature that pointer authentication puts into the top bits (DW_CFA_AARCH64_negate_ra_state says where;
// an address without one is not changed by this). XPACLRI, which processors that know no signatures pass over.
inline uintptr_t stripped(uintptr_t return_address) {
    register uintptr_t link asm("x30") = return_address;
    asm("hint #7" : "+r"(link));
    return link;
}

// Kind in bits 0-3; in units of eight bytes: the CFA's offset in 4-27, the frame pointer's in 28-45, the return
// address's in 46-63. Frames with a place more than a MiB below the CFA are left to the exact walk.
struct RowLayout {
    static constexpr int64_t most_cfa_offset = ((1 << 23) - 1) * 8;
    static constexpr int64_t most_offset = ((1 << 17) - 1) * 8;

    // A return address below the CFA makes every step lead upwards.
    static constexpr bool fits(int64_t cfa, int64_t fp, int64_t return_address) {
        return ((cfa | fp | return_address) & 7) == 0 && cfa <= most_cfa_offset && cfa >= -most_cfa_offset &&
               fp <= most_offset && fp >= -most_offset && return_address < 0 && return_address >= -most_offset;
    }
    static constexpr uint64_t pack(int64_t cfa, int64_t fp, int64_t return_address) {
        return (static_cast<uint64_t>(cfa >> 3) & 0xFFFFFF) << 4 | (static_cast<uint64_t>(fp >> 3) & 0x3FFFF) << 28 |
               static_cast<uint64_t>(return_address >> 3) << 46;
    }
    static intptr_t cfa_offset(uint64_t bits) { return static_cast<int64_t>(bits << 36) >> 40 << 3; }
    static intptr_t fp_offset(uint64_t bits) { return static_cast<int64_t>(bits << 18) >> 46 << 3; }
    static intptr_t return_offset(uint64_t bits) { return static_cast<int64_t>(bits) >> 46 << 3; }
};

// On a handler's return the stack pointer points to the siginfo (128 bytes), behind which stands the ucontext with,
// from its byte 184 on, x0 to x30, sp and pc (arch/arm64/include/uapi/asm/ucontext.h and sigcontext.h of the kernel).
inline constexpr uintptr_t mcontext_offset = 128 + 184;
inline constexpr uint32_t mcontext_words = 33;
struct SamePlace {
    constexpr uint32_t operator[](uint32_t number) const { return number; }
};
inline constexpr SamePlace mcontext_place;
inline Link interrupted_link(const uintptr_t* context) {
    return {stripped(context[x30]), true};
}

// `mov x8, #139; svc #0`: rt_sigreturn. The kernel's lies in the vDSO, an emulator's in a page of its own.
inline constexpr uint8_t signal_return_code[] = {0x68, 0x11, 0x80, 0xD2, 0x01, 0x00, 0x00, 0xD4};
inline constexpr bool signal_return_may_lie_bare = true;

// Whether a call ends right before pc; most_call_bytes before it can be read.
inline constexpr uintptr_t most_call_bytes = 4;
inline bool is_call_before(uintptr_t pc) {
    const uint32_t before = *reinterpret_cast<const uint32_t*>((pc & ~uintptr_t{3}) - 4);
    return (before & 0xFC000000) == 0x94000000 ||  // BL
           (before & 0xFEFFF000) == 0xD63F0000;    // BLR and its authenticating kin
}

// __builtin_unwind_init() puts registers that calls preserve above the frame record, to which x29 points.
inline constexpr uintptr_t saved_below_frame_pointer = 0;

inline long system_call(long number, long a, long b, long c, long d, long e = 0, long f = 0) {
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

// One address a thread: that of the beginning of its thread-local storage, above its stack.
inline uintptr_t thread_pointer() {
    uintptr_t value;
    asm("mrs %0, tpidr_el0" : "=r"(value));
    return value;
}

// Somebody else is to get on.
inline void pause_a_moment() {
    asm volatile("isb" ::: "memory");
}

}  // namespace nh::unwind
