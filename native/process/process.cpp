#include "native/process/process.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "native/process/abandoned.h"
#include "native/process/elf_lookup.h"
#include "native/process/environment.h"
#include "native/process/runtime_port.h"
#include "native/process/settings.h"
#include "native/process/thread_exit.h"
#include "native/transport/fork_page.h"
#include "native/transport/handshake.h"
#include "native/transport/kernel.h"

namespace nh::process {

transport::Region region;

namespace {

namespace kernel = transport::kernel;
using transport::Written;

enum class Phase : uint32_t { unstarted, starting, on, off };

Phase phase;
uint32_t own_slot;
uint32_t own_pid;  // a forked child's copy is its parent's until it has a slot
bool follow_children;
uint64_t early_calls;

Phase current_phase() {
    return __atomic_load_n(&phase, __ATOMIC_ACQUIRE);
}

void set_phase(Phase next) {
    __atomic_store_n(&phase, next, __ATOMIC_RELEASE);
}

class ErrnoScope {
  public:
    ErrnoScope() : at_(&errno), saved_(*at_) {}
    ~ErrnoScope() { *at_ = saved_; }
    ErrnoScope(const ErrnoScope&) = delete;
    ErrnoScope& operator=(const ErrnoScope&) = delete;

  private:
    int* at_;
    int saved_;
};

void count_early_call() {
    __atomic_add_fetch(&early_calls, 1, __ATOMIC_RELAXED);
}

void count_missed_call() {
    __atomic_add_fetch(&region.slots[own_slot].missed_calls, 1, __ATOMIC_RELAXED);
}

void switch_off(wire::off_reason reason) {
    region.slots[own_slot].off_reason = static_cast<uint32_t>(reason);
    set_phase(Phase::off);
    __atomic_store_n(&transport::fork_page.recording, 0, __ATOMIC_RELAXED);
}

// Numbers and rings are used from here on, so this is the last step of starting and of following a fork.
void go_live(uint32_t slot) {
    own_slot = slot;
    __atomic_store_n(&region.slots[slot].state, static_cast<uint32_t>(wire::slot_state::live), __ATOMIC_RELEASE);
    __atomic_store_n(&transport::fork_page.recording, slot + 1, __ATOMIC_RELEASE);
}

void describe(wire::slot* slot, uint32_t pid, uint32_t parent_slot, uint64_t start_ns, uint32_t cuts) {
    slot->pid = pid;
    slot->parent_slot = parent_slot;
    slot->parent_pid = own_pid;
    own_pid = pid;
    slot->off_reason = static_cast<uint32_t>(wire::off_reason::none);
    slot->start_ns = start_ns;
    slot->missed_calls = 0;
    slot->cut_ring_count = cuts;
}

// ---- start ----

bool wanted(Settings* settings) {
    char** variables = environment();
    const char* culprit = nullptr;
    const char* wrong = read_settings(variables, settings, &culprit);
    if (wrong != nullptr) {
        say(culprit, wrong);
        return false;
    }
    if (!settings->follow) {
        leave_no_trace_in_environment(variables);
    }
    follow_children = settings->follow;
    return settings->socket != nullptr;
}

bool prepare() {
    const unwind::ModuleTable modules = {region.modules, region.module_capacity, &region.header->module_count,
                                         &region.header->clock_ns, 0};
    const stacks::Tree tree = {region.nodes, region.node_capacity, &region.header->node_count};
    if (!transport::wipe_fork_page_on_fork() || !map_thread_states(region) || !unwind::initialise(modules) ||
        !stacks::initialise(tree)) {
        return false;
    }
    prepare_thread_exit();
    return true;
}

bool join_collector(uint64_t start_ns) {
    Settings settings;
    if (!wanted(&settings)) {
        return false;
    }
    switch (transport::join({settings.socket, settings.sample_bytes, start_ns}, &region)) {
        case transport::Joined::yes:
            remember_runtime_port(settings.socket);
            return prepare();
        case transport::Joined::wrong_version:
            say("the collector", "is of another version; this program runs unprofiled");
            return false;
        case transport::Joined::nobody:
        case transport::Joined::refused:
            return false;
    }
    return false;
}

void start() {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t start_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
    if (!join_collector(start_ns)) {
        set_phase(Phase::off);
        return;
    }
    describe(&region.slots[0], static_cast<uint32_t>(kernel::call(SYS_getpid)), wire::no_slot, start_ns, 0);
    region.slots[0].missed_calls = __atomic_load_n(&early_calls, __ATOMIC_RELAXED);
    go_live(0);
    set_phase(Phase::on);
}

void start_once() {
    Phase before = Phase::unstarted;
    if (__atomic_compare_exchange_n(&phase, &before, Phase::starting, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        start();
    }
}

// The first call starts us, for what other libraries allocate in their constructors counts. At the latest it is here:
// before main, which may read its environment or forbid itself our system calls ahead of its first allocation.
__attribute__((constructor)) void start_before_main() {
    ErrnoScope keep;
    start_once();
}

// ---- fork ----

uint32_t claim_slot() {
    for (uint32_t i = 0; i < region.slot_count; i++) {
        uint32_t nobody = static_cast<uint32_t>(wire::slot_state::free);
        if (__atomic_load_n(&region.slots[i].state, __ATOMIC_RELAXED) == nobody &&
            __atomic_compare_exchange_n(&region.slots[i].state, &nobody,
                                        static_cast<uint32_t>(wire::slot_state::claimed), false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return i;
        }
    }
    return wire::no_slot;
}

// The fork copied the calling thread alone: its state was the parent's. A hook that the fork came in the midst of (by a
// signal handler) stays in progress.
void disown_parent_ring() {
    Standing thread = standing();
    if (thread.is_owner()) {
        uintptr_t position = thread.state()->guard;
        set_standing(position != 0 ? Standing::busy(position, false) : Standing());
    }
}

// In a forked child, at its first call. False while another thread of the child is about it, or when the child cannot
// or shall not record.
bool follow_fork() {
    uint32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&transport::fork_page.handling, &nobody, 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    uint32_t slot = follow_children ? claim_slot() : wire::no_slot;
    if (slot == wire::no_slot) {
        set_phase(Phase::off);  // the slot we know is the parent's, who records on
        return false;
    }
    disown_parent_ring();
    uint32_t cuts = forget_parent_states();
    // A forked child's first thread has its process's number; no other system call than futex is allowed by now.
    describe(&region.slots[slot], own_thread_id(), own_slot, region.header->clock_ns, cuts);
    unwind::after_fork(slot);
    go_live(slot);
    return true;
}

// ---- rings ----

bool succeeded(Written written) {
    switch (written) {
        case Written::yes:
            return true;
        case Written::not_recording:
            break;
        case Written::collector_died:
            switch_off(wire::off_reason::collector_died);
            break;
        case Written::collector_stuck:
            switch_off(wire::off_reason::collector_stuck);
            break;
        case Written::told_to_stop:
            switch_off(wire::off_reason::told_to_stop);
            break;
        case Written::no_room:
            switch_off(wire::off_reason::no_thread_state);
            break;
    }
    return false;
}

// What every stretch of a ring by one thread begins with; a forked child's very first one tells its cuts too.
Written introduce(ThreadState* state) {
    wire::thread_event thread = {transport::event_head(wire::event_kind::thread, 0), own_slot, state->tid};
    Written written = transport::append(region, state->ring, thread);
    for (uint32_t i = 0; i < region.ring_count && written == Written::yes; i++) {
        ThreadState* other = thread_state(i);
        if (other->cut_due) {
            other->cut_due = false;
            wire::fork_cut_event cut = {transport::event_head(wire::event_kind::fork_cut, i), other->cut};
            written = transport::append(region, state->ring, cut);
        }
    }
    state->wrote = true;
    return written == Written::yes ? transport::append_time(region, state->ring) : written;
}

ThreadState* take_own_ring(uintptr_t position) {
    ThreadState* state = claim_ring(own_slot);
    if (state != nullptr) {
        state->guard = position;
        set_standing(Standing::owner(state));
        release_at_thread_exit(state);
    }
    return state;
}

ThreadState* take_ring(Standing before, uintptr_t position) {
    bool leaving = before.is_leaving();
    if (before.is_busy()) {
        unlock_abandoned_rings();
    }
    set_standing(Standing::busy(position, leaving));
    bool new_writer = true;
    ThreadState* state = nullptr;
    if (!leaving && before != Standing::ringless(ring_releases())) {
        state = take_own_ring(position);
    }
    if (state == nullptr && !succeeded(lock_shared_ring(own_slot, &state, &new_writer))) {
        return nullptr;
    }
    if (new_writer && !succeeded(introduce(state))) {
        leave(state);
        return nullptr;
    }
    return state;
}

ThreadState* enter_recording(const unwind::Registers& at) {
    Standing thread = standing();
    if (thread.is_owner()) {
        ThreadState* state = thread.state();
        if (state->guard != 0 && !is_abandoned(state, at)) {
            count_missed_call();
            return nullptr;
        }
        state->refusals = 0;
        state->guard = at.sp;
        return state;
    }
    if (thread.is_busy() && !is_abandoned(nullptr, at)) {
        count_missed_call();
        return nullptr;
    }
    return take_ring(thread, at.sp);
}

[[gnu::noinline]] ThreadState* enter_unusual(const unwind::Registers& at) {
    ErrnoScope keep;
    start_once();
    if (current_phase() != Phase::on) {
        count_early_call();
        return nullptr;
    }
    if (transport::recording_mark() == 0 && !follow_fork()) {
        return nullptr;
    }
    switch (static_cast<wire::control>(__atomic_load_n(&region.header->control, __ATOMIC_RELAXED))) {
        case wire::control::record:
            return enter_recording(at);
        case wire::control::stop:
            switch_off(wire::off_reason::told_to_stop);
            return nullptr;
        case wire::control::pause:
            return nullptr;
    }
    return nullptr;
}

}  // namespace

ThreadState* enter_slow(const unwind::Registers& at) {
    if (current_phase() == Phase::off) {
        return nullptr;
    }
    if (!relocated()) {
        count_early_call();  // nothing else is possible yet
        return nullptr;
    }
    return enter_unusual(at);
}

void leave_shared(ThreadState* state) {
    bool leaving = standing().is_leaving();
    unlock_shared_ring(state);
    set_standing(leaving ? Standing::leaving() : Standing::ringless(ring_releases()));
}

ThreadState* recover(ThreadState* state, uintptr_t position, Written failure) {
    ErrnoScope keep;
    if (succeeded(failure)) {
        return state;
    }
    if (state->shared) {
        unlock_shared_ring(state);  // refused by the kernel when the lock is not ours but, after a fork, our parent's
    }
    if (current_phase() != Phase::on || (transport::recording_mark() == 0 && !follow_fork())) {
        return nullptr;
    }
    return take_ring(Standing(), position);
}

}  // namespace nh::process
