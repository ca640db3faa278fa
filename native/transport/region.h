// The region shared with the collector, as this process uses it: every count and offset copied and checked once,
// so that nobody who writes into the shared pages later can lead us outside of them.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::transport {

struct Region {
    wire::region* header;
    wire::ring* rings;
    wire::slot* slots;
    wire::module* modules;
    wire::node* nodes;
    wire::reused_code* reused;
    wire::copy_window* window;  // null: there is none
    const uint8_t* kept;        // wire::kept_bytes of bits; null: there are none
    uint8_t* base;
    uint64_t bytes;
    uint32_t ring_count;
    uint32_t shared_ring_count;
    uint32_t slot_count;
    uint32_t module_capacity;
    uint32_t node_capacity;
    uint32_t reused_capacity;
};

// Where one ring's bytes are.
struct RingSpan {
    wire::ring* header;
    uint8_t* data;
    uint64_t capacity;  // power of two
};

// Reads and checks the header at `base`; false when any field is not what records.def promises of a mapping of `bytes`.
bool view_region(void* base, uint64_t bytes, Region* out);

// Reads and checks ring `index` (< ring_count).
bool view_ring(const Region& region, uint32_t index, RingSpan* out);

// Whether everything lies in both where it lies in the other, and is as large.
bool has_same_layout(const Region& a, const Region& b);

}  // namespace nh::transport
