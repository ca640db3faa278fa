#include "native/process/session.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "native/process/attach_text.h"
#include "native/process/elf_lookup.h"
#include "native/process/environment.h"
#include "native/process/errno_scope.h"
#include "native/process/namespaces.h"
#include "native/process/parking.h"
#include "native/process/preparation.h"
#include "native/process/process.h"
#include "native/process/runtime_port.h"
#include "native/process/settings.h"
#include "native/process/snapshot_signal.h"
#include "native/sampling/sampler.h"
#include "native/transport/fork_page.h"
#include "native/transport/handshake.h"
#include "native/transport/kernel.h"
#include "native/transport/raw_file.h"

namespace nh::process {

transport::Region region;

namespace {

namespace kernel = transport::kernel;
using transport::fork_page;
using wire::attach_result;

constexpr uint32_t most_sessions = 1u << (32 - transport::slot_bits);

Phase phase;
transport::Region own;  // as it was joined
wire::region stand_in;  // header of `region` while it is not to be recorded
uint32_t slot_here;
uint32_t own_pid;  // a forked child's copy is its parent's until it has a slot
uint32_t sessions;
bool follow_children;
uint64_t early_calls;

// How this process came to its collector. A copy: the program may write over its environment.
struct Way {
    char socket[transport::most_path_bytes + 1];
    uint64_t sample_bytes;
    bool mappings;
};
Way way;

void remember_way(const Settings& settings) {
    if (settings.socket != way.socket) {
        strncpy(way.socket, settings.socket, transport::most_path_bytes);
    }
    way.sample_bytes = settings.sample_bytes;
    way.mappings = settings.mappings;
}

void set_phase(Phase next) {
    __atomic_store_n(&phase, next, __ATOMIC_RELEASE);
}

uint64_t now_ns() {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Numbers and rings are used from here on, so this is the last step of starting and of following a fork.
void go_live(uint32_t slot) {
    slot_here = slot;
    __atomic_store_n(&region.slots[slot].state, static_cast<uint32_t>(wire::slot_state::live), __ATOMIC_RELEASE);
    __atomic_store_n(&fork_page.joined, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&fork_page.recording, mark_of(slot), __ATOMIC_RELEASE);
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
    slot->signal_state = static_cast<uint32_t>(snapshot_signal_state());
    slot->park_signal = parking_signal();
    slot->other_namespaces = has_other_namespaces() ? 1 : 0;
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
    return settings->socket != nullptr || settings->out != nullptr;
}

// A collector that is named and is not there leaves the file, if one is named too.
bool write_file(const Settings& settings, uint64_t start_ns) {
    if (settings.out == nullptr) {
        return false;
    }
    transport::Region made;
    const char* wrong = transport::create_raw_file(
        {settings.out, settings.out_limit, settings.sample_bytes, settings.mappings, start_ns}, &made);
    if (wrong != nullptr) {
        say("NATIVEHEAP_OUT", wrong);
        return false;
    }
    own = region = made;
    return prepare_recording(own, start_ns, 0);
}

bool begin_recording(uint64_t start_ns) {
    Settings settings;
    if (!wanted(&settings)) {
        return false;
    }
    if (settings.socket == nullptr) {
        return write_file(settings, start_ns);
    }
    transport::Region joined;
    switch (transport::join({settings.socket, settings.sample_bytes, start_ns, false, settings.mappings}, &joined)) {
        case transport::Joined::yes:
            own = region = joined;
            remember_way(settings);
            remember_runtime_port(settings.socket);
            return prepare_recording(own, start_ns, 0);
        case transport::Joined::wrong_version:
            say("the collector", "is of another version; this program runs unprofiled");
            return false;
        case transport::Joined::nobody:
        case transport::Joined::refused:
            return write_file(settings, start_ns);
    }
    return false;
}

void start() {
    uint64_t start_ns = now_ns();
    if (!begin_recording(start_ns)) {
        set_phase(Phase::off);
        return;
    }
    describe(&region.slots[0], static_cast<uint32_t>(kernel::call(SYS_getpid)), wire::no_slot, start_ns, 0);
    region.slots[0].missed_calls = __atomic_load_n(&early_calls, __ATOMIC_RELAXED);
    go_live(0);
    set_phase(Phase::on);
}

// The first call starts us, for what other libraries allocate in their constructors counts. At the latest it is here:
// before main, which may read its environment or forbid itself our system calls ahead of its first allocation. A
// library that the program loads itself waits for nativeheap_attach.
__attribute__((constructor)) void start_before_main() {
    ErrnoScope keep;
    if (came_with_program()) {
        start_once();
    } else {
        set_phase(Phase::off);
    }
}

// ---- fork ----

uint32_t claim_slot() {
    for (uint32_t i = 0; i < region.slot_count; i++) {
        uint32_t nobody = static_cast<uint32_t>(wire::slot_state::free);
        if (__atomic_load_n(&region.slots[i].state, __ATOMIC_RELAXED) == nobody &&
            (!transport::writes_raw_file() || transport::make_present(&region.slots[i], sizeof(wire::slot))) &&
            __atomic_compare_exchange_n(&region.slots[i].state, &nobody,
                                        static_cast<uint32_t>(wire::slot_state::claimed), false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return i;
        }
    }
    __atomic_add_fetch(&region.header->unrecorded_children, 1, __ATOMIC_RELAXED);
    return wire::no_slot;
}

// The fork copied the calling thread alone: its state was the parent's. A hook that the fork came in the midst of (by a
// signal handler) stays in progress.
void disown_parent_ring() {
    Standing thread = standing();
    if (thread.is_owner()) {
        uintptr_t position = thread.state()->guard;
        set_standing(position > stale_guard ? Standing::busy(position, false) : Standing());
    }
}

// ---- attach and detach ----

// Tells the collector, which has already said welcome, that nothing will come.
void turn_away(const transport::Region& joined) {
    wire::slot* slot = &joined.slots[0];
    slot->pid = static_cast<uint32_t>(kernel::call(SYS_getpid));
    slot->parent_slot = wire::no_slot;
    slot->off_reason = static_cast<uint32_t>(wire::off_reason::detached);
    __atomic_store_n(&slot->state, static_cast<uint32_t>(wire::slot_state::live), __ATOMIC_RELEASE);
    transport::wake_collector(joined);
}

// A process's regions all lie at the same place. A thread that is still on its way out of a hook of the session before
// may look at it, or write behind what is published in a ring that it owns in this session too; neither does harm.
bool put_in_place(const transport::Region& joined) {
    if (own.base == nullptr) {
        own = region = joined;
        region.header = &stand_in;
        return true;
    }
    if (!transport::has_same_layout(own, joined)) {
        return false;
    }
    region.header = &stand_in;
    long moved =
        kernel::call(SYS_mremap, kernel::address(joined.base), static_cast<long>(joined.bytes),
                     static_cast<long>(joined.bytes), MREMAP_MAYMOVE | MREMAP_FIXED, kernel::address(own.base));
    return moved == kernel::address(own.base);
}

void tell_hooks(wire::control order) {
    __atomic_store_n(&stand_in.control, static_cast<uint32_t>(order), __ATOMIC_SEQ_CST);
}

void show_header(wire::region* header) {
    __atomic_store_n(&region.header, header, __ATOMIC_SEQ_CST);
}

void forget_numbers() {
    for (uint32_t& order : fork_page.order) {
        __atomic_store_n(&order, 0, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&fork_page.mapping_order, 0, __ATOMIC_RELAXED);
}

attach_result enter_region(const transport::Region& joined, uint64_t start_ns) {
    const bool is_first = own.base == nullptr;
    tell_hooks(stay_out);
    if (!put_in_place(joined)) {
        turn_away(joined);
        sampling::stop();
        kernel::munmap(joined.base, joined.bytes);
        return attach_result::other_layout;
    }
    const auto pid = static_cast<uint32_t>(kernel::call(SYS_getpid));
    if (!is_first) {
        begin_ring_session(++sessions);
    }
    forget_numbers();
    stop_parking();  // where the session before was switched off, and not ended
    stop_snapshot_signal();
    if (!prepare_recording(own, start_ns, has_joined() ? 0 : pid)) {
        turn_away(own);
        sampling::stop();
        return attach_result::no_memory;
    }
    own_pid = 0;
    describe(&region.slots[0], pid, wire::no_slot, start_ns, 0);
    go_live(0);
    set_phase(Phase::on);
    show_header(own.header);  // last: from now on hooks record
    return attach_result::done;
}

// What is mapped there from now on is nobody's, and costs nothing where nobody looks.
void give_region_back() {
    if (!kernel::is_error(kernel::mmap(own.base, own.bytes, PROT_READ | PROT_WRITE,
                                       MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1))) {
        kernel::madvise(own.base, own.bytes, MADV_DONTDUMP);
    }
}

// One moment for all threads. First the births of blocks end, as in a pause, while their ends are still told; nothing
// can then be born where somebody has died unseen. Then no hook gets in any more, and those that are in write what they
// have taken numbers for.
void silence_hooks(uint32_t mark) {
    stand_in.clock_ns = __atomic_load_n(&own.header->clock_ns, __ATOMIC_RELAXED);
    tell_hooks(wire::control::pause);
    show_header(&stand_in);
    tell_hooks(stay_out);
    await_hooks(mark);
}

// Whether its collector is known to be gone: then a new one may take over.
bool is_forsaken() {
    return transport::Patience(own).look() != transport::Written::yes;
}

attach_result given_settings(const char* text, Settings* out) {
    if (current_phase() == Phase::on && !is_forsaken()) {
        return attach_result::already_recording;
    }
    return read_attach_text(text, out) ? attach_result::done : attach_result::bad_settings;
}

// Also of the process that this one was forked from, if its children are followed. The memory that a detach leaves
// behind is no region.
attach_result settings_of_before(Settings* out) {
    if (way.socket[0] == 0 || own.header->magic != wire::region_magic || (!follow_children && !has_joined())) {
        return attach_result::not_recording;
    }
    if (!is_forsaken()) {
        return attach_result::already_recording;
    }
    out->socket = way.socket;
    out->sample_bytes = way.sample_bytes;
    out->mappings = way.mappings;
    out->follow = follow_children;
    return own.header->paused != 0 ? attach_result::paused : attach_result::done;
}

// In a forked child that has recorded nothing: what it knows is its parent's. No thread of it may follow the fork from
// now on.
attach_result end_unfollowed() {
    uint32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&fork_page.handling, &nobody, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return attach_result::busy;  // one is just at it
    }
    set_phase(Phase::off);
    return attach_result::done;
}

}  // namespace

Phase current_phase() {
    return __atomic_load_n(&phase, __ATOMIC_ACQUIRE);
}

uint32_t own_slot() {
    return slot_here;
}

bool has_joined() {
    return __atomic_load_n(&fork_page.joined, __ATOMIC_RELAXED) != 0;
}

void count_early_call() {
    __atomic_add_fetch(&early_calls, 1, __ATOMIC_RELAXED);
}

void start_once() {
    Phase before = Phase::unstarted;
    if (__atomic_compare_exchange_n(&phase, &before, Phase::starting, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        start();
    }
}

void switch_off(wire::off_reason reason) {
    region.slots[slot_here].off_reason = static_cast<uint32_t>(reason);
    set_phase(Phase::off);
    __atomic_store_n(&fork_page.recording, 0, __ATOMIC_RELAXED);
}

bool follow_fork() {
    if (has_joined()) {
        return false;  // switched off a moment ago, by another thread
    }
    uint32_t nobody = 0;
    if (!__atomic_compare_exchange_n(&fork_page.handling, &nobody, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return false;
    }
    uint32_t slot = follow_children ? claim_slot() : wire::no_slot;
    if (slot == wire::no_slot) {
        set_phase(Phase::off);  // the slot we know is the parent's, who records on
        return false;
    }
    disown_parent_ring();
    if (transport::writes_raw_file()) {
        transport::refresh_raw_clock(region);
    }
    uint32_t cuts = forget_parent_states();
    // A forked child's first thread has its process's number; no other system call than futex is allowed by now.
    describe(&region.slots[slot], own_thread_id(), slot_here, region.header->clock_ns, cuts);
    unwind::after_fork(slot);
    go_live(slot);
    return true;
}

SessionChange::SessionChange() {
    uint32_t nobody = 0;
    held_ = __atomic_compare_exchange_n(&fork_page.changing, &nobody, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

SessionChange::~SessionChange() {
    if (held_) {
        __atomic_store_n(&fork_page.changing, 0, __ATOMIC_RELEASE);
    }
}

attach_result begin_session(const char* text) {
    if (current_phase() == Phase::unstarted || current_phase() == Phase::starting) {
        return attach_result::busy;
    }
    Settings settings = {};
    attach_result allowed = is_again(text) ? settings_of_before(&settings) : given_settings(text, &settings);
    if (allowed != attach_result::done) {
        return allowed;
    }
    // A vfork child would change its parent's memory.
    if (has_joined() ? own_pid != static_cast<uint32_t>(kernel::call(SYS_getpid))
                     : end_session() == attach_result::busy) {
        return attach_result::busy;
    }
    if (sessions + 1 == most_sessions) {
        return attach_result::refused;  // 32,768 of them: their numbers are used up
    }
    const uint64_t start_ns = now_ns();
    transport::Region joined;
    switch (transport::join({settings.socket, settings.sample_bytes, start_ns, true, settings.mappings}, &joined)) {
        case transport::Joined::yes:
            end_session();  // not before: who does not get in may try again
            follow_children = settings.follow;
            remember_way(settings);
            return enter_region(joined, start_ns);
        case transport::Joined::wrong_version:
            return attach_result::wrong_version;
        case transport::Joined::nobody:
            return attach_result::no_collector;
        case transport::Joined::refused:
            return attach_result::refused;
    }
    return attach_result::refused;
}

attach_result end_session() {
    if (current_phase() != Phase::on) {
        return attach_result::not_recording;
    }
    if (!has_joined()) {
        return end_unfollowed();
    }
    silence_hooks(transport::recording_mark());
    set_phase(Phase::off);
    __atomic_store_n(&fork_page.recording, 0, __ATOMIC_SEQ_CST);
    sampling::stop();
    stop_parking();
    stop_snapshot_signal();
    own.slots[slot_here].off_reason = static_cast<uint32_t>(wire::off_reason::detached);
    transport::wake_collector(own);
    transport::leave_raw_file();
    give_region_back();
    return attach_result::done;
}

}  // namespace nh::process
