// Windows x64 unwind information, which CoreCLR writes for just-in-time compiled and ReadyToRun code on Linux too.
// Format: "x64 exception handling" of Microsoft's documentation; the runtime's own extension UWOP_SET_FPREG_LARGE: its
// docs/design/coreclr/botr/clr-abi.md and src/coreclr/inc/win64unwind.h.
#pragma once
#include <stdint.h>

#include "native/unwind/call_frames.h"
#include "native/unwind/careful_reader.h"

namespace nh::unwind {

// RUNTIME_FUNCTION: one contiguous piece of code, offsets from the image's (or the code heap's) base.
struct RuntimeFunction {
    uint32_t begin, end, unwind_info;
};

// The rules that hold just before the instruction at that address, which the function covers. False when the
// information cannot be read or makes no sense.
bool run_windows_unwind(CarefulReader& reader, uintptr_t base, RuntimeFunction function, uintptr_t instruction,
                        FrameRules* rules);

// The size of the information there, without what a chained or handled function has behind it; 0 when it cannot be
// read.
uint32_t windows_unwind_bytes(CarefulReader& reader, uintptr_t address);

}  // namespace nh::unwind
