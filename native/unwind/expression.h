// DWARF expressions in call-frame information (DWARF 5, section 2.5), in two ways: with register values and memory at
// hand (exact_walk), or symbolically, as "register + constant" (row_compiler).
#pragma once
#include <stdint.h>

#include "native/unwind/call_frames.h"

namespace nh::unwind {

// What an expression's value is relative to.
enum class Base : uint8_t { number, sp, fp, word_at_fp };

struct ExpressionValue {
    uint64_t number;
    Base base;
};

class StackWindow;

// Register values as far as they are known.
struct RegisterFile {
    uintptr_t value[register_count];
    RegisterSet known;

    bool has(uint64_t number) const { return number < register_count && (known >> number & 1) != 0; }
    void set(uint32_t number, uintptr_t to) {
        value[number] = to;
        known |= RegisterSet{1} << number;
    }
    void forget(uint32_t number) { known &= ~(RegisterSet{1} << number); }
};

// The expression at `at` (its length first), which ends before `limit`. Symbolically: stack and frame pointer
// stand for themselves, the program counter is `pc`, other registers fail.
bool evaluate_symbolically(uintptr_t at, uintptr_t limit, uintptr_t pc, ExpressionValue* value);

// With values. `first` is pushed before the start when push_first is set (a register's rule gets the CFA).
bool evaluate(uintptr_t at, uintptr_t limit, const RegisterFile& registers, StackWindow& window, bool push_first,
              uintptr_t first, uintptr_t* value);

}  // namespace nh::unwind
