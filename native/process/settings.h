// What the environment asks of the shim.
#pragma once
#include <stdint.h>

namespace nh::process {

struct Settings {
    const char* socket;     // NATIVEHEAP_SOCKET; null: run unprofiled
    const char* out;        // NATIVEHEAP_OUT; null: none
    uint64_t out_limit;     // NATIVEHEAP_OUT_LIMIT
    uint64_t sample_bytes;  // NATIVEHEAP_SAMPLE; 0: exact
    bool mappings;          // NATIVEHEAP_MMAP
    bool follow;            // NATIVEHEAP_FOLLOW
};

// Null when every NATIVEHEAP_* name and value is understood; else what is wrong, with *culprit the variable.
const char* read_settings(char** environment, Settings* out, const char** culprit);

}  // namespace nh::process
