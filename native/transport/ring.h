// Writing into one ring. One thread at a time owns a writer.
#pragma once
#include <stdint.h>

#include "native/transport/fork_page.h"
#include "native/transport/region.h"

namespace nh::transport {

enum class Written : uint8_t {
    yes,
    not_recording,    // switched off meanwhile, or this is a forked child and the ring its parent's; nothing was
                      // published
    collector_died,   // the ring is full and nobody will ever drain it
    collector_stuck,  // it lives by its mutex, but its clock stands still
    told_to_stop,
    file_full,  // a raw file's limit is reached, or its disk is full
    no_room,    // no ring of its own, and a shared one could not be had
};

struct RingWriter {
    RingSpan span;
    uint64_t head;   // what header->head says, private: in a forked child it is as old as the child's heap
    uint64_t limit;  // position beyond which the slow way has to look at the consumer
    uint64_t clock;  // the region's clock at this ring's last time event
    uint32_t mark;   // the recording mark of the process that opened it
};

// For whoever waits in rounds of look_again_ns: tells a collector that will go on from one that will not.
constexpr long look_again_ns = 100'000'000;
class Patience {
  public:
    explicit Patience(const Region& region);

    // Written::yes: wait on. Looks at the collector's mutex, at what it says, and whether its clock stands still.
    Written look();

  private:
    const Region& region_;
    uint64_t seen_clock_;
    uint64_t since_ns_;
    uint32_t looks_ = 0;
};

// Ends the collector's sleep, if it sleeps.
void wake_collector(const Region& region);

// Takes up writing where the ring's last owner stopped; a `thread` and a `time` event must come next.
void open_ring(RingWriter& ring, uint32_t mark);

// Room for `bytes` in one piece at *out (ring.head moves over a pad if need be). Waits while the ring is full.
Written make_room(const Region& region, RingWriter& ring, uint32_t bytes, uint8_t** out);

// Appends one event of any record type but pad.
template <typename Event>
Written append(const Region& region, RingWriter& ring, const Event& event) {
    uint8_t* at = ring.span.data + (ring.head & (ring.span.capacity - 1));
    uint64_t to_end = ring.span.capacity - (ring.head & (ring.span.capacity - 1));
    if (__builtin_expect(ring.head + sizeof(Event) > ring.limit || to_end < sizeof(Event), 0)) {
        Written written = make_room(region, ring, sizeof(Event), &at);
        if (written != Written::yes) {
            return written;
        }
    }
    // A signal handler may have forked just now and the child be us: then the ring is not ours. Asked on both sides of
    // the copy; between the two, the same bytes go where the parent puts them too, beyond what it has published.
    if (recording_mark() != ring.mark) {
        return Written::not_recording;
    }
    __builtin_memcpy(at, &event, sizeof(Event));
    if (recording_mark() != ring.mark) {
        return Written::not_recording;
    }
    ring.head += sizeof(Event);
    __atomic_store_n(&ring.span.header->head, ring.head, __ATOMIC_RELEASE);
    return Written::yes;
}

inline uint32_t* last_order_for(const wire::map_event&, uint64_t) {
    return &fork_page.mapping_order;
}
inline uint32_t* last_order_for(const wire::unmap_event&, uint64_t) {
    return &fork_page.mapping_order;
}
inline uint32_t* last_order_for(const wire::remap_event&, uint64_t) {
    return &fork_page.mapping_order;
}
template <typename Event>
uint32_t* last_order_for(const Event&, uint64_t address) {
    return last_order(address);
}

// For an event that was not appended, with the numbers that were taken for it. In a forked child (a signal handler has
// forked since the hook began) those that were taken after the fork are the child's first, and would be missing when
// others are taken for the next try. Those that were the parent's are not what the child's counters say. A number that
// is taken before a call
// (`old_order`, and `order` where numbered_before says so) is kept for the next try once the child has noticed.
template <bool numbered_before, typename Event>
[[gnu::noinline, gnu::cold]] void give_numbers_back(const RingWriter& ring, const Event& event) {
    const uint32_t mark = recording_mark();
    const bool has_noticed = mark != 0;
    if (has_noticed && slot_of(mark) == slot_of(ring.mark)) {
        return;  // no child
    }
    if constexpr (requires { event.order; }) {
        if (!(numbered_before && has_noticed)) {
            give_back(last_order_for(event, event.head & wire::address_mask), event.order);
        }
    }
    if constexpr (requires { event.old_order; }) {
        if (!has_noticed) {
            give_back(last_order_for(event, event.old_address), event.old_order);
        }
    }
}

inline uint64_t event_head(wire::event_kind kind, uint64_t payload) {
    return static_cast<uint64_t>(kind) << wire::kind_shift | (payload & wire::address_mask);
}

// Appends a `time` event when the collector's clock moved since this ring's last one.
inline Written append_time(const Region& region, RingWriter& ring) {
    uint64_t now = __atomic_load_n(&region.header->clock_ns, __ATOMIC_RELAXED);
    if (__builtin_expect(now == ring.clock, 1)) {
        return Written::yes;
    }
    Written written = append(region, ring, wire::time_event{event_head(wire::event_kind::time, now)});
    if (written == Written::yes) {
        ring.clock = now;
    }
    return written;
}

}  // namespace nh::transport
