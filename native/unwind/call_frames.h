// `.eh_frame`: finds the description of a function and runs it up to a pc.
// Format: LSB core specification, "Exception Frames"; instructions: DWARF 5, section 6.4.2.
#pragma once
#include <stdint.h>

#include "native/unwind/architecture.h"
#include "native/unwind/elf_image.h"

namespace nh::unwind {

enum class RuleKind : uint8_t {
    same,  // not mentioned, or "same value"
    undefined,
    at_offset,      // saved at CFA + value
    is_offset,      // is CFA + value
    at_expression,  // saved where the expression at address `value` says
    is_expression,  // is what it says
    in_register,    // is in register `value`
};

struct FrameRules {
    int64_t value[register_count];
    RuleKind kind[register_count];
    uint8_t cfa_register;
    int64_t cfa_offset;
    uintptr_t cfa_expression;  // 0: register and offset hold
};

struct FrameDescription {
    uintptr_t start, end;  // code it covers
    uintptr_t instructions, instructions_end;
    uintptr_t initial, initial_end;  // those of its common part
    uint64_t code_alignment;
    int64_t data_alignment;
    uint8_t pointer_encoding;
    bool signal_frame;
};

// The description that covers the pc. Binary search in .eh_frame_hdr.
bool find_description(const ElfImage& image, uintptr_t pc, FrameDescription* description);

// The rules that hold just before the instruction at pc. False when the program makes no sense.
bool run_description(const FrameDescription& description, uintptr_t pc, FrameRules* rules);

}  // namespace nh::unwind
