#include "native/process/thread_state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "native/process/own_memory.h"
#include "native/transport/kernel.h"

namespace nh::process {
namespace {

namespace kernel = transport::kernel;
using transport::Written;

constexpr int most_unlock_attempts = 1 << 20;

constexpr int hook_looks = 1000;
constexpr long hook_look_ns = 1'000'000;

transport::Region region;
ThreadState* states;
uint32_t session;
uint32_t last_released;
uint32_t releases;

uint32_t exclusive_rings() {
    return region.ring_count - region.shared_ring_count;
}

uint32_t lock_holder(const wire::ring* header) {
    return __atomic_load_n(&header->lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK;
}

enum class Lock : uint8_t { taken, taken_before, busy, unusable };

// The kernel fills in the holder's id, hands the lock on and tells when the holder is dead or is ourselves
// (a hook that was left by longjmp). It needs no robust list, which belongs to libc.
Lock lock_once(wire::ring* header, int operation, const timespec* until) {
    uint32_t seen = __atomic_load_n(&header->lock, __ATOMIC_RELAXED);
    long result = kernel::futex(&header->lock, operation, 0, until);
    switch (result) {
        case 0:
            return Lock::taken;
        case -EDEADLK:
            return Lock::taken_before;
        case -ESRCH:  // the holder died; whoever wins the exchange frees the lock, and all try again
            __atomic_compare_exchange_n(&header->lock, &seen, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
            return Lock::busy;
        case -ENOSYS:
        case -EPERM:
            return Lock::unusable;
        default:
            return Lock::busy;
    }
}

bool is_held(Lock lock) {
    return lock == Lock::taken || lock == Lock::taken_before;
}

timespec next_look() {
    timespec at = {};
    clock_gettime(CLOCK_REALTIME, &at);  // FUTEX_LOCK_PI knows no other clock
    at.tv_nsec += transport::look_again_ns;
    if (at.tv_nsec >= 1'000'000'000) {
        at.tv_nsec -= 1'000'000'000;
        at.tv_sec++;
    }
    return at;
}

// Whether the holder of a shared ring writes on, or waits for room as anybody may.
class Holder {
  public:
    explicit Holder(const transport::RingSpan& ring) : ring_(ring) {}

    bool is_stuck() {
        uint64_t head = __atomic_load_n(&ring_.header->head, __ATOMIC_RELAXED);
        uint64_t used = head - __atomic_load_n(&ring_.header->tail, __ATOMIC_RELAXED);
        if (head != seen_head_ || used + most_record_bytes > ring_.capacity) {
            seen_head_ = head;
            looks_ = 0;
        }
        return ++looks_ > stuck_looks;
    }

  private:
    static constexpr uint64_t most_record_bytes = 64;
    static constexpr uint32_t stuck_looks = 100;  // ten seconds: a thread stopped in a debugger, or ended by force

    const transport::RingSpan& ring_;
    uint64_t seen_head_ = 0;
    uint32_t looks_ = 0;
};

wire::ring* try_any_lock() {
    wire::ring* first = region.rings + exclusive_rings();
    for (uint32_t i = 0; i < region.shared_ring_count; i++) {
        if (is_held(lock_once(first + i, FUTEX_TRYLOCK_PI, nullptr))) {
            return first + i;
        }
    }
    return nullptr;
}

Written wait_for_lock(ThreadState* state) {
    __atomic_add_fetch(&region.header->lock_waits, 1, __ATOMIC_RELAXED);
    transport::Patience patience(region);
    Holder holder(state->ring.span);
    for (;;) {
        timespec until = next_look();
        if (is_held(lock_once(state->ring.span.header, FUTEX_LOCK_PI, &until))) {
            return Written::yes;
        }
        Written collector = patience.look();
        if (collector != Written::yes || holder.is_stuck()) {
            return collector != Written::yes ? collector : Written::no_room;
        }
    }
}

void begin(ThreadState* state, uint32_t tid, uint32_t slot) {
    state->tid = tid;
    state->errno_at = &errno;
    state->refusals = 0;
    state->exit_rounds = 0;
    memset(&state->scratch.bounds, 0, sizeof(state->scratch.bounds));
    state->scratch.known.forget();
    transport::open_ring(state->ring, mark_of(slot));
}

// A thread's standing cannot be taken from it: whoever owned a ring owns the same one in the new region. Where the
// threads are not those that took them (a forked child's), who the one that is left owns is not known; it has its
// process's number.
void keep_owner(ThreadState* state, uint32_t heir) {
    wire::ring* header = &region.rings[state->index];
    header->owner_tid = heir != 0 ? heir : state->tid;
    header->owner_slot = 0;
    uintptr_t nobody = 0;
    __atomic_compare_exchange_n(&state->guard, &nobody, stale_guard, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool renew_thread_states(uint32_t heir) {
    for (uint32_t i = 0; i < region.ring_count; i++) {
        transport::RingSpan span;
        ThreadState& state = states[i];
        if (!transport::view_ring(region, i, &span) || span.header != state.ring.span.header ||
            span.data != state.ring.span.data || span.capacity != state.ring.span.capacity) {
            return false;
        }
        state.wrote = false;
        state.cut_due = false;
        state.scratch.known.forget();
        if (__atomic_load_n(&state.owned, __ATOMIC_RELAXED)) {
            keep_owner(&state, heir);
        }
    }
    __atomic_add_fetch(&releases, 1, __ATOMIC_RELAXED);  // who found no ring asks again
    return true;
}

}  // namespace

thread_local constinit uintptr_t standing_word = 0;

void set_standing(Standing standing) {
    standing_word = __builtin_bit_cast(uintptr_t, standing);
}

bool map_thread_states(const transport::Region& joined, uint32_t heir) {
    region = joined;
    if (states != nullptr) {
        return renew_thread_states(heir);
    }
    size_t bytes = sizeof(ThreadState) * region.ring_count;
    void* memory = kernel::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (kernel::is_error(memory)) {
        return false;
    }
    kernel::madvise(memory, bytes, MADV_DONTDUMP);
    states = static_cast<ThreadState*>(memory);
    note_own_memory(memory, bytes);
    for (uint32_t i = 0; i < region.ring_count; i++) {
        states[i].index = i;
        states[i].shared = i >= exclusive_rings();
        if (!transport::view_ring(region, i, &states[i].ring.span)) {
            kernel::munmap(memory, bytes);
            return false;
        }
    }
    return true;
}

void begin_ring_session(uint32_t number) {
    session = number;
}

uint32_t mark_of(uint32_t slot) {
    return session << transport::slot_bits | (slot + 1);
}

bool is_of_earlier_session(const ThreadState& state) {
    return state.ring.mark >> transport::slot_bits != session;
}

void await_hooks(uint32_t mark) {
    for (uint32_t i = 0; i < region.ring_count; i++) {
        ThreadState& state = states[i];
        for (int looks = 0; looks < hook_looks && state.ring.mark == mark; looks++) {
            uintptr_t guard = __atomic_load_n(&state.guard, __ATOMIC_ACQUIRE);
            bool in_use = state.shared ? lock_holder(state.ring.span.header) != 0 : guard > stale_guard;
            if (!in_use) {
                break;
            }
            transport::wake_collector(region);
            // The word that it waits on is the guard itself; nobody wakes.
            timespec wait = {0, hook_look_ns};
            kernel::futex(reinterpret_cast<uint32_t*>(&state.guard), FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
                          static_cast<uint32_t>(guard), &wait);
        }
    }
}

ThreadState* thread_state(uint32_t ring) {
    return &states[ring];
}

ThreadState* claim_ring(uint32_t slot) {
    uint32_t tid = own_thread_id();
    uint32_t count = exclusive_rings();
    uint32_t hint = __atomic_load_n(&last_released, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (hint + i) % count;
        wire::ring* header = &region.rings[index];
        uint32_t nobody = 0;
        if (__atomic_load_n(&header->owner_tid, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(&header->owner_tid, &nobody, tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            // Until the slot is stored, owner_slot is no_slot and the collector leaves the ring alone.
            __atomic_store_n(&header->owner_slot, slot, __ATOMIC_RELEASE);
            ThreadState* state = &states[index];
            state->guard = 0;
            __atomic_store_n(&state->owned, true, __ATOMIC_RELAXED);
            begin(state, tid, slot);
            return state;
        }
    }
    return nullptr;
}

void reopen_ring(ThreadState* state, uint32_t slot) {
    uint32_t tid = own_thread_id();
    wire::ring* header = state->ring.span.header;
    __atomic_store_n(&header->owner_tid, tid, __ATOMIC_RELAXED);
    __atomic_store_n(&header->owner_slot, slot, __ATOMIC_RELEASE);
    begin(state, tid, slot);
}

void release_ring(ThreadState* state) {
    wire::ring* header = state->ring.span.header;
    __atomic_store_n(&state->owned, false, __ATOMIC_RELAXED);
    __atomic_store_n(&header->owner_slot, wire::no_slot, __ATOMIC_RELAXED);
    __atomic_store_n(&header->owner_tid, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&last_released, state->index, __ATOMIC_RELAXED);
    __atomic_add_fetch(&releases, 1, __ATOMIC_RELAXED);
}

uint32_t ring_releases() {
    return __atomic_load_n(&releases, __ATOMIC_RELAXED);
}

Written lock_shared_ring(uint32_t slot, ThreadState** state, bool* new_writer) {
    wire::ring* header = try_any_lock();
    if (header == nullptr) {
        // Waiting threads spread by their stack's address, which differs between any two.
        uint32_t choice = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(&header) >> 12) % region.shared_ring_count;
        Written waited = wait_for_lock(&states[exclusive_rings() + choice]);
        if (waited != Written::yes) {
            *state = nullptr;
            return waited;
        }
        header = region.rings + exclusive_rings() + choice;
    }
    uint32_t tid = lock_holder(header);
    *state = &states[header - region.rings];
    *new_writer = header->owner_tid != tid || header->owner_slot != slot || !(*state)->wrote;
    if (*new_writer) {
        header->owner_slot = slot;
        header->owner_tid = tid;
        begin(*state, tid, slot);
    }
    return Written::yes;
}

void unlock_shared_ring(ThreadState* state) {
    // The kernel gives up with EAGAIN while another thread is just beginning or ceasing to wait for this lock (seen on
    // 6.18, up to 270 times in some 40,000); its next attempt finds that one settled.
    long result = -EAGAIN;
    for (int i = 0; i < most_unlock_attempts && (result == -EAGAIN || result == -EINTR); i++) {
        result = kernel::futex(&state->ring.span.header->lock, FUTEX_UNLOCK_PI, 0);
    }
}

void unlock_abandoned_rings() {
    uint32_t tid = own_thread_id();
    for (uint32_t i = exclusive_rings(); i < region.ring_count; i++) {
        if (lock_holder(&region.rings[i]) == tid) {
            unlock_shared_ring(&states[i]);
        }
    }
}

uint32_t forget_parent_states() {
    uint32_t cuts = 0;
    for (uint32_t i = 0; i < region.ring_count; i++) {
        ThreadState& state = states[i];
        state.owned = false;
        state.cut_due = state.wrote;
        if (state.wrote) {
            state.cut = state.ring.head;
            state.wrote = false;
            cuts++;
        }
    }
    return cuts;
}

uint32_t own_thread_id() {
    uint32_t word = 0;
    if (kernel::futex(&word, FUTEX_TRYLOCK_PI | FUTEX_PRIVATE_FLAG, 0) == 0) {
        return word & FUTEX_TID_MASK;
    }
    return static_cast<uint32_t>(kernel::call(SYS_gettid));
}

}  // namespace nh::process
