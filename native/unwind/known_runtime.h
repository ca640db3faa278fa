// The .NET runtime of this process, once a module that holds one was met.
#pragma once
#include <stdint.h>

#include "native/unwind/runtime_contract.h"

struct link_map;

namespace nh::unwind {

// To be called for each module when it is first remembered: looks for a runtime's exported symbols in it. The first one
// that can be understood serves.
void learn_runtime(const link_map* map, uintptr_t start, uintptr_t end);

// Null as long as no runtime is known whose tables can be read.
const RuntimeContract* known_runtime();

// Of a runtime that does not describe itself, the code range map is found as that word of its module from which a
// look-up of a true return address comes to a function with sound unwind information. Takes some 10 ms, is tried a few
// times, and does nothing when the runtime is known or there is none.
void search_runtime(uintptr_t return_address);

// Whether the address lies in the module of the known runtime.
bool in_runtime_module(uintptr_t address);

// For tests: a runtime by its descriptor.
bool use_runtime(uintptr_t descriptor, uintptr_t start, uintptr_t end);

}  // namespace nh::unwind
