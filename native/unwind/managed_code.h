// Code that a .NET runtime made: which function covers a pc, and how its frame is left.
#pragma once
#include <stdint.h>

#include "native/unwind/call_frames.h"
#include "native/unwind/careful_reader.h"
#include "native/unwind/runtime_contract.h"
#include "native/unwind/windows_unwind.h"

namespace nh::unwind {

// A contiguous piece of such code: a method's main body, a funclet, a cold part.
struct ManagedFunction {
    uintptr_t base;  // what the function's offsets count from
    RuntimeFunction function;
    // Collectible code may be freed when it is on no stack, and other code may take its place. All else stays as long
    // as the process: ReadyToRun images, code of assemblies that cannot be unloaded.
    bool collectible;
    // Just-in-time compiled code only, else 0: where the method starts, the header that the word before it points to,
    // and where in that header the function stands.
    uintptr_t start, header, function_at;
};

// The function that covers the address. False when it is not the runtime's code, or a stub, or cannot be read. Reads
// the runtime's tables by what its contract says, as the runtime itself does without a lock; takes some 5 us.
bool find_managed_function(CarefulReader& reader, const RuntimeContract& contract, uintptr_t instruction,
                           ManagedFunction* found);

// Finds the function and the rules that hold just before the instruction in it.
bool find_managed_rules(CarefulReader& reader, const RuntimeContract& contract, uintptr_t instruction,
                        ManagedFunction* found, FrameRules* rules);
// The same by the known runtime, which is searched for when it does not describe itself.
bool find_managed_rules(CarefulReader& reader, uintptr_t instruction, ManagedFunction* found, FrameRules* rules);

}  // namespace nh::unwind
