// A region without a collector (NATIVEHEAP_OUT): it lies in a file, and whoever finds a ring full moves what is in it
// to the file's end. The file is mapped, so what a killed process has written is in it up to the last event.
//
// No system call but futex is made after opening, and no descriptor is kept. The file is sparse; its pages are made
// present before they are stored to first, by a call that fails where a store would end the program: a disk may be full
// by then.
#pragma once
#include <stdint.h>

#include "native/transport/ring.h"

namespace nh::transport {

constexpr uint32_t most_raw_path_bytes = 4000;
constexpr uint64_t smallest_raw_file = 64ull << 20;

struct RawFileRequest {
    const char* path;  // never overwritten: where there is such a file, the process's id is put behind the name
    uint64_t limit;    // most bytes of the file
    uint64_t sample_bytes;
    bool mappings;  // they are recorded, too
    uint64_t start_ns;
};

// Null: done. Else why not, for a person; nothing is left behind then.
const char* create_raw_file(const RawFileRequest& request, Region* out);

bool writes_raw_file();

// No hook is in use of it any more.
void leave_raw_file();

// Gives that memory of the file its place on the disk; false: there is none, and it must not be stored to.
bool make_present(const void* start, uint64_t bytes);

// The same for what comes next in a ring.
bool make_ring_present(const RingWriter& ring);

// The region's clock, which no collector sets. By the vDSO: no system call.
void refresh_raw_clock(const Region& region);

// Moves everything that is in a ring to the file.
Written spill(const Region& region, RingWriter& ring);

}  // namespace nh::transport
