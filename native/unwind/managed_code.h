// Code that a .NET runtime made: which function covers a pc, and how its frame is left.
#pragma once
#include <stdint.h>

#include "native/unwind/call_frames.h"
#include "native/unwind/runtime_contract.h"

namespace nh::unwind {

enum class ManagedKind : uint8_t {
    none,         // not the runtime's, or a stub, or unreadable
    permanent,    // stays as long as the process: ReadyToRun images, code of assemblies that cannot be unloaded
    collectible,  // may be freed when it is on no stack, and other code may take its place
};

// The rules that hold just before the instruction at that address. Reads the runtime's tables by what its contract
// says, as the runtime itself does without a lock; takes some 5 us.
ManagedKind find_managed_rules(uintptr_t instruction, FrameRules* rules);

}  // namespace nh::unwind
