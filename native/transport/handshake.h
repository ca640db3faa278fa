// Hello and welcome with the collector: one connection, closed again before this returns.
#pragma once
#include <stdint.h>

#include "native/transport/region.h"

namespace nh::transport {

enum class Joined : uint8_t {
    yes,
    nobody,         // no collector, or it did not answer in time
    refused,        // it said no, or sent what is no region
    wrong_version,  // it speaks another version of records.def
};

struct Greeting {
    const char* socket_path;  // shorter than sockaddr_un has room for
    uint64_t sample_bytes;
    uint64_t start_ns;
    bool attached;  // the process has run unrecorded until now
    bool mappings;  // they are wanted, too
};

constexpr uint32_t most_path_bytes = 107;  // of a Unix socket, without the ending zero

// An eighth of what this process may map: what is ours must not be what makes its own allocations fail. 0: no limit.
uint64_t region_limit();

// Bounded wait. On Joined::yes the region is mapped, checked and shown (shown_page.h); no descriptor stays open in any
// case.
Joined join(const Greeting& greeting, Region* out);

}  // namespace nh::transport
