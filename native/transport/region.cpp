#include "native/transport/region.h"

namespace nh::transport {
namespace {

constexpr uint32_t most_rings = 4096;
constexpr uint32_t most_slots = 1u << 16;
constexpr uint64_t smallest_ring = 4096;

// Reads a shared field once, so that what was checked is what is used.
template <typename T>
T once(const T& field) {
    return *const_cast<const volatile T*>(&field);
}

template <typename T>
bool place(const Region& region, uint64_t offset, uint64_t count, T** out) {
    if (offset < sizeof(wire::region) || offset > region.bytes || offset % 8 != 0 ||
        count > (region.bytes - offset) / sizeof(T)) {
        return false;
    }
    *out = reinterpret_cast<T*>(region.base + offset);
    return true;
}

bool place_window(const Region& region, wire::copy_window** out) {
    constexpr uint64_t whole = wire::copy_data_offset + wire::copy_data_bytes;
    uint64_t offset = once(region.header->copy_offset);
    uint8_t* window = nullptr;
    if (offset != 0 && !place(region, offset, whole, &window)) {
        return false;
    }
    *out = reinterpret_cast<wire::copy_window*>(window);
    return true;
}

bool place_kept(const Region& region, const uint8_t** out) {
    uint64_t offset = once(region.header->kept_offset);
    uint8_t* bits = nullptr;
    if (offset != 0 && !place(region, offset, wire::kept_bytes, &bits)) {
        return false;
    }
    *out = bits;
    return true;
}

}  // namespace

bool view_region(void* base, uint64_t bytes, Region* out) {
    if (bytes < sizeof(wire::region)) {
        return false;
    }
    auto* header = static_cast<wire::region*>(base);
    if (once(header->magic) != wire::region_magic || once(header->version) != wire::wire_version ||
        once(header->region_bytes) != bytes) {
        return false;
    }
    Region region = {};
    region.header = header;
    region.base = static_cast<uint8_t*>(base);
    region.bytes = bytes;
    region.ring_count = once(header->ring_count);
    region.shared_ring_count = once(header->shared_ring_count);
    region.slot_count = once(header->slot_count);
    region.module_capacity = once(header->module_capacity);
    region.node_capacity = once(header->node_capacity);
    region.reused_capacity = once(header->reused_capacity);
    if (region.ring_count > most_rings || region.shared_ring_count == 0 ||
        region.shared_ring_count > region.ring_count || region.slot_count == 0 || region.slot_count > most_slots ||
        region.node_capacity == 0 || region.module_capacity == 0) {
        return false;
    }
    bool placed = place(region, once(header->ring_offset), region.ring_count, &region.rings) &&
                  place(region, once(header->slot_offset), region.slot_count, &region.slots) &&
                  place(region, once(header->module_offset), region.module_capacity, &region.modules) &&
                  place(region, once(header->node_offset), region.node_capacity, &region.nodes) &&
                  place(region, once(header->reused_offset), region.reused_capacity, &region.reused) &&
                  place_window(region, &region.window) && place_kept(region, &region.kept);
    *out = region;
    return placed;
}

bool view_ring(const Region& region, uint32_t index, RingSpan* out) {
    wire::ring* header = &region.rings[index];
    uint64_t capacity = once(header->capacity);
    out->header = header;
    out->capacity = capacity;
    return capacity >= smallest_ring && (capacity & (capacity - 1)) == 0 &&
           place(region, once(header->data_offset), capacity, &out->data);
}

bool has_same_layout(const Region& a, const Region& b) {
    auto same = [&](const void* in_a, const void* in_b) {
        return in_a == nullptr || in_b == nullptr
                   ? in_a == in_b
                   : static_cast<const uint8_t*>(in_a) - a.base == static_cast<const uint8_t*>(in_b) - b.base;
    };
    return a.bytes == b.bytes && a.ring_count == b.ring_count && a.shared_ring_count == b.shared_ring_count &&
           a.slot_count == b.slot_count && a.module_capacity == b.module_capacity &&
           a.node_capacity == b.node_capacity && a.reused_capacity == b.reused_capacity && same(a.rings, b.rings) &&
           same(a.slots, b.slots) && same(a.modules, b.modules) && same(a.nodes, b.nodes) && same(a.reused, b.reused) &&
           same(a.window, b.window) && same(a.kept, b.kept);
}

}  // namespace nh::transport
