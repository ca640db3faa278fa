// What this library has mapped for itself and what may hold copies of the program's stacks: whoever looks through the
// process's memory for pointers must leave it out.
#pragma once
#include <stddef.h>

namespace nh::process {

// Before there is a second thread.
void note_own_memory(const void* start, size_t bytes);

}  // namespace nh::process
