#include "native/transport/ring.h"

#include <time.h>

#include "native/transport/kernel.h"
#include "native/transport/raw_file.h"

namespace nh::transport {
namespace {

constexpr uint64_t unset_clock = ~0ull;
constexpr uint64_t stuck_ns = 2'000'000'000;
constexpr uint32_t stuck_looks = stuck_ns / look_again_ns;

// By the vDSO: no system call.
uint64_t now_ns() {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

bool collector_died(const Region& region) {
    uint32_t owner;
    __builtin_memcpy(&owner, const_cast<const uint8_t*>(region.header->owner), sizeof(owner));
    return (owner & FUTEX_OWNER_DIED) != 0;
}

uint64_t collector_clock(const Region& region) {
    return __atomic_load_n(&region.header->clock_ns, __ATOMIC_RELAXED);
}

uint64_t used_bytes(const RingWriter& ring) {
    uint64_t tail = __atomic_load_n(&ring.span.header->tail, __ATOMIC_ACQUIRE);
    uint64_t used = ring.head - tail;
    return used <= ring.span.capacity ? used : ring.span.capacity;  // a tail ahead of us is nonsense: full
}

Written wait_for_room(const Region& region, RingWriter& ring, uint64_t bytes) {
    if (writes_raw_file()) {
        return recording_mark() == ring.mark ? spill(region, ring) : Written::not_recording;
    }
    wire::ring* header = ring.span.header;
    Patience patience(region);
    for (;;) {
        uint32_t drained = __atomic_load_n(&header->drained, __ATOMIC_ACQUIRE);
        __atomic_store_n(&header->waiting, 1, __ATOMIC_SEQ_CST);
        if (used_bytes(ring) + bytes <= ring.span.capacity) {
            return Written::yes;
        }
        if (recording_mark() != ring.mark) {
            return Written::not_recording;
        }
        Written collector = patience.look();
        if (collector != Written::yes) {
            return collector;
        }
        wake_collector(region);
        timespec wait = {0, look_again_ns};
        kernel::futex(&header->drained, FUTEX_WAIT, drained, &wait);
    }
}

}  // namespace

void wake_collector(const Region& region) {
    uint32_t* sleeping = &region.header->collector_sleeping;
    uint32_t asleep = 1;
    if (__atomic_load_n(sleeping, __ATOMIC_RELAXED) == 1 &&
        __atomic_compare_exchange_n(sleeping, &asleep, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        kernel::futex(sleeping, FUTEX_WAKE, 1);
    }
}

Patience::Patience(const Region& region) : region_(region), seen_clock_(collector_clock(region)), since_ns_(now_ns()) {}

Written Patience::look() {
    if (writes_raw_file()) {
        return Written::yes;
    }
    if (collector_died(region_)) {
        return Written::collector_died;
    }
    if (__atomic_load_n(&region_.header->control, __ATOMIC_RELAXED) == static_cast<uint32_t>(wire::control::stop)) {
        return Written::told_to_stop;
    }
    uint64_t now = now_ns();
    if (collector_clock(region_) != seen_clock_) {
        seen_clock_ = collector_clock(region_);
        since_ns_ = now;
        looks_ = 0;
    }
    // Both counts must run out: the looks alone would run out early in a storm of signals, the time alone after the
    // whole process group was stopped for a while.
    bool stands_still = ++looks_ > stuck_looks && now - since_ns_ > stuck_ns;
    return stands_still ? Written::collector_stuck : Written::yes;
}

void open_ring(RingWriter& ring, uint32_t mark) {
    ring.head = __atomic_load_n(&ring.span.header->head, __ATOMIC_ACQUIRE);
    ring.limit = 0;
    ring.clock = unset_clock;
    ring.mark = mark;
}

namespace {

// A word-sized event, or the first word of a pad, of which `bytes` count; there is room for it.
Written put_word(RingWriter& ring, uint64_t word, uint64_t bytes) {
    if (recording_mark() != ring.mark) {
        return Written::not_recording;
    }
    __builtin_memcpy(ring.span.data + (ring.head & (ring.span.capacity - 1)), &word, sizeof(word));
    ring.head += bytes;
    __atomic_store_n(&ring.span.header->head, ring.head, __ATOMIC_RELEASE);
    return Written::yes;
}

// Room at the ring's end, or after a pad.
Written clear(const Region& region, RingWriter& ring, uint32_t bytes) {
    uint64_t capacity = ring.span.capacity;
    uint64_t to_end = capacity - (ring.head & (capacity - 1));
    uint64_t pad = to_end < bytes ? to_end : 0;
    Written written = Written::yes;
    if (used_bytes(ring) + pad + bytes > capacity) {
        written = wait_for_room(region, ring, pad + bytes);
    }
    return written == Written::yes && pad != 0 ? put_word(ring, event_head(wire::event_kind::pad, pad), pad) : written;
}

// Nobody renews the clock of a raw file: every event comes by here (the limit is where the ring's head is), and a
// change of the time stands before it.
Written make_raw_room(const Region& region, RingWriter& ring, uint32_t bytes, uint8_t** out) {
    if (!make_ring_present(ring)) {
        return Written::file_full;
    }
    refresh_raw_clock(region);
    uint64_t now = __atomic_load_n(&region.header->clock_ns, __ATOMIC_RELAXED);
    Written written = Written::yes;
    if (now != ring.clock && ring.clock != unset_clock) {
        written = clear(region, ring, sizeof(wire::time_event));
        written = written == Written::yes
                      ? put_word(ring, event_head(wire::event_kind::time, now), sizeof(wire::time_event))
                      : written;
        ring.clock = now;
    }
    written = written == Written::yes ? clear(region, ring, bytes) : written;
    ring.limit = ring.head + bytes;
    *out = ring.span.data + (ring.head & (ring.span.capacity - 1));
    return written;
}

}  // namespace

Written make_room(const Region& region, RingWriter& ring, uint32_t bytes, uint8_t** out) {
    if (writes_raw_file()) {
        return make_raw_room(region, ring, bytes, out);
    }
    Written written = clear(region, ring, bytes);
    if (written != Written::yes) {
        return written;
    }
    uint64_t capacity = ring.span.capacity;
    // Half full is the first limit, at which a sleeping collector is woken; the end of the room is the second.
    uint64_t used = used_bytes(ring);
    if (used + bytes > capacity / 2) {
        wake_collector(region);
        ring.limit = ring.head + (capacity - used);
    } else {
        ring.limit = ring.head + (capacity / 2 - used);
    }
    *out = ring.span.data + (ring.head & (capacity - 1));
    return Written::yes;
}

}  // namespace nh::transport
