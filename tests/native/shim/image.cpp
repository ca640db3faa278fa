#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <stdexcept>

#include "tests/native/shim/collector.h"

namespace nh::test {
namespace {

constexpr uint64_t page = 4096;
constexpr uint32_t reused_capacity = 64;

uint64_t paged(uint64_t bytes) {
    return (bytes + page - 1) / page * page;
}

bool thread_lives(uint32_t pid, uint32_t tid) {
    return syscall(SYS_tgkill, pid, tid, 0) == 0;
}

// The robust mutex whose first word the kernel marks when the collector dies.
void own(void* memory) {
    static_assert(sizeof(pthread_mutex_t) <= sizeof(wire::region::owner));
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    auto* mutex = static_cast<pthread_mutex_t*>(memory);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutex_lock(mutex);
}

}  // namespace

Image::Image(const wire::hello& hello, const RegionSize& size) : hello_(hello), size_(size), streams_(size.rings) {
    uint64_t rings = page;
    uint64_t slots = paged(rings + size.rings * sizeof(wire::ring));
    slots_at_ = slots;
    uint64_t modules = paged(slots + size.slots * sizeof(wire::slot));
    uint64_t nodes = paged(modules + size.modules * sizeof(wire::module));
    uint64_t reused = paged(nodes + size.nodes * sizeof(wire::node));
    uint64_t kept = paged(reused + reused_capacity * sizeof(wire::reused_code));
    uint64_t data = kept + wire::kept_bytes;
    bytes_ = data + size.rings * size.ring_bytes;
    descriptor_ = memfd_create("nativeheap-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor_ < 0 || ftruncate(descriptor_, static_cast<off_t>(bytes_)) != 0) {
        throw std::runtime_error("memfd");
    }
    base_ = static_cast<uint8_t*>(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0));
    wire::region& region = header();
    region.magic = wire::region_magic;
    region.version = wire::wire_version;
    region.page_bytes = page;
    region.region_bytes = bytes_;
    region.ring_offset = rings;
    region.slot_offset = slots;
    region.module_offset = modules;
    region.node_offset = nodes;
    region.reused_offset = reused;
    region.kept_offset = kept;
    region.reused_capacity = reused_capacity;
    region.ring_count = size.rings;
    region.shared_ring_count = size.shared_rings;
    region.slot_count = size.slots;
    region.module_capacity = size.modules;
    region.node_capacity = size.nodes;
    region.node_count = 1;
    region.sample_bytes = region.sampling = hello.sample_bytes;
    region.clock_ns = monotonic_ns();
    region.control = static_cast<uint32_t>(wire::control::record);
    own(region.owner);
    for (uint32_t i = 0; i < size.rings; i++) {
        ring(i).owner_slot = wire::no_slot;
        ring(i).data_offset = data + i * size.ring_bytes;
        ring(i).capacity = size.ring_bytes;
    }
}

Image::~Image() {
    // Given back in order: a robust list must not lead into memory that is no longer there.
    pthread_mutex_unlock(reinterpret_cast<pthread_mutex_t*>(header().owner));
    munmap(base_, bytes_);
    close(descriptor_);
}

wire::ring& Image::ring(uint32_t i) const {
    return reinterpret_cast<wire::ring*>(base_ + header().ring_offset)[i];
}

wire::slot& Image::slot(uint32_t i) const {
    return reinterpret_cast<wire::slot*>(base_ + header().slot_offset)[i];
}

wire::node& Image::node(uint32_t i) const {
    return reinterpret_cast<wire::node*>(base_ + header().node_offset)[i];
}

void Image::drain(uint64_t most_bytes) {
    for (uint32_t i = 0; i < size_.rings; i++) {
        drain_ring(i, most_bytes);
    }
}

void Image::drain_ring(uint32_t index, uint64_t most_bytes) {
    wire::ring& ring = this->ring(index);
    Stream& stream = streams_[index];
    uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_ACQUIRE);
    uint64_t start = stream.read;
    const uint8_t* data = base_ + ring.data_offset;
    while (stream.read < head && stream.read - start < most_bytes) {
        stream.read += take(index, stream, data + (stream.read & (ring.capacity - 1)));
    }
    __atomic_store_n(&ring.tail, stream.read, __ATOMIC_SEQ_CST);
    if (stream.read != start && __atomic_load_n(&ring.waiting, __ATOMIC_SEQ_CST) != 0) {
        __atomic_store_n(&ring.waiting, 0, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&ring.drained, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &ring.drained, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
}

// Returns the bytes of the record at `at`.
uint64_t Image::take(uint32_t index, Stream& stream, const uint8_t* at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    uint64_t payload = word & wire::address_mask;
    Event event = {};
    event.kind = static_cast<wire::event_kind>(word >> wire::kind_shift);
    event.ring = index;
    event.position = stream.read;
    uint64_t bytes = 0;
    switch (event.kind) {
        case wire::event_kind::pad:
            return payload;
        case wire::event_kind::time:
            stream.time_ns = payload;
            return sizeof(wire::time_event);
        case wire::event_kind::thread: {
            auto* thread = reinterpret_cast<const wire::thread_event*>(at);
            stream.slot = thread->slot;
            stream.tid = thread->tid;
            bytes = sizeof(*thread);
            break;
        }
        case wire::event_kind::alloc: {
            auto* alloc = reinterpret_cast<const wire::alloc_event*>(at);
            event.address = payload;
            event.size = alloc->size;
            event.node = alloc->node;
            event.order = alloc->order;
            bytes = sizeof(*alloc);
            break;
        }
        case wire::event_kind::release: {
            auto* release = reinterpret_cast<const wire::release_event*>(at);
            event.address = payload;
            event.order = release->order;
            event.result = release->among_samples;
            bytes = sizeof(*release);
            break;
        }
        case wire::event_kind::sample: {
            auto* sample = reinterpret_cast<const wire::sample_event*>(at);
            event.address = payload;
            event.size = sample->size;
            event.node = sample->node;
            event.order = sample->order;
            event.mean = sample->mean;
            bytes = sizeof(*sample);
            break;
        }
        case wire::event_kind::sample_release: {
            auto* release = reinterpret_cast<const wire::sample_release_event*>(at);
            event.address = payload;
            event.size = release->size;
            event.order = release->order;
            event.mean = release->mean;
            bytes = sizeof(*release);
            break;
        }
        case wire::event_kind::resize: {
            auto* resize = reinterpret_cast<const wire::resize_event*>(at);
            event.address = payload;
            event.size = resize->size;
            event.old_address = resize->old_address;
            event.node = resize->node;
            event.order = resize->order;
            event.old_order = resize->old_order;
            event.result = resize->result;
            bytes = sizeof(*resize);
            break;
        }
        case wire::event_kind::fork_cut:
            event.cut_ring = static_cast<uint32_t>(payload);
            event.cut = reinterpret_cast<const wire::fork_cut_event*>(at)->position;
            bytes = sizeof(wire::fork_cut_event);
            break;
        default:
            throw std::runtime_error("no such event");
    }
    event.slot = stream.slot;
    event.tid = stream.tid;
    event.time_ns = stream.time_ns;
    events.push_back(event);
    return bytes;
}

void Image::reclaim() {
    for (uint32_t i = 0; i < size_.rings - size_.shared_rings; i++) {
        wire::ring& ring = this->ring(i);
        uint32_t tid = __atomic_load_n(&ring.owner_tid, __ATOMIC_ACQUIRE);
        uint32_t owner = __atomic_load_n(&ring.owner_slot, __ATOMIC_ACQUIRE);
        if (tid == 0 || owner == wire::no_slot || thread_lives(slot(owner).pid, tid)) {
            continue;
        }
        if (__atomic_compare_exchange_n(&ring.owner_slot, &owner, wire::no_slot, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            __atomic_compare_exchange_n(&ring.owner_tid, &tid, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
    }
}

uint32_t Image::first_slot_state() const {
    return reinterpret_cast<wire::slot*>(base_ + slots_at_)->state;
}

uint64_t Image::missed_calls() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < size_.slots; i++) {
        sum += slot(i).missed_calls;
    }
    return sum;
}

}  // namespace nh::test
