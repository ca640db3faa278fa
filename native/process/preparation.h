// What a process makes ready for a session before anything of it can be recorded.
#pragma once
#include <stdint.h>

#include "native/transport/region.h"

namespace nh::process {

// region: as it was joined. start_ns: CLOCK_MONOTONIC. heir: as for map_thread_states. False: there was no memory, or
// the kernel cannot do what is needed; nothing may be recorded then. One thread, while no hook records.
bool prepare_recording(const transport::Region& region, uint64_t start_ns, uint32_t heir);

}  // namespace nh::process
