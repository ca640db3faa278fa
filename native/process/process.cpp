#include "native/process/process.h"

#include "native/process/abandoned.h"
#include "native/process/elf_lookup.h"
#include "native/process/errno_scope.h"
#include "native/process/session.h"
#include "native/process/thread_exit.h"
#include "native/transport/fork_page.h"

namespace nh::process {
namespace {

using transport::Written;

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
        case Written::file_full:
            switch_off(wire::off_reason::file_full);
            break;
        case Written::no_room:
            switch_off(wire::off_reason::no_thread_state);
            break;
    }
    return false;
}

// What every stretch of a ring by one thread begins with; a forked child's very first one tells its cuts too.
Written introduce(ThreadState* state) {
    if (state->tid != region.slots[own_slot()].pid) {
        transport::expect_threads();
    }
    wire::thread_event thread = {transport::event_head(wire::event_kind::thread, 0), own_slot(), state->tid};
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
    ThreadState* state = claim_ring(own_slot());
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
    if (state == nullptr && !succeeded(lock_shared_ring(own_slot(), &state, &new_writer))) {
        return nullptr;
    }
    if (new_writer && !succeeded(introduce(state))) {
        leave(state);
        return nullptr;
    }
    return state;
}

// Of an earlier session: the ring is still this thread's, but nothing is in it yet.
ThreadState* reopen(ThreadState* state, uintptr_t position) {
    state->guard = position;
    reopen_ring(state, own_slot());
    if (!succeeded(introduce(state))) {
        leave(state);
        return nullptr;
    }
    return state;
}

ThreadState* enter_recording(const unwind::Registers& at) {
    Standing thread = standing();
    if (thread.is_owner()) {
        ThreadState* state = thread.state();
        if (state->guard > stale_guard && !is_abandoned(state, at)) {
            count_missed_call();
            return nullptr;
        }
        if (is_of_earlier_session(*state)) {
            return reopen(state, at.sp);
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
    if (!told_to_record()) {
        if (order() == wire::control::stop) {
            switch_off(wire::off_reason::told_to_stop);
        }
        return nullptr;
    }
    return enter_recording(at);
}

}  // namespace

void count_missed_call() {
    __atomic_add_fetch(&region.slots[own_slot()].missed_calls, 1, __ATOMIC_RELAXED);
}

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
        if (!state->shared) {
            leave(state);
        }
        return nullptr;
    }
    // Detached and attached again since the hook was entered.
    if (standing() == Standing::owner(state) && is_of_earlier_session(*state)) {
        return reopen(state, position);
    }
    return take_ring(Standing(), position);
}

namespace {

bool is_recording() {
    if (current_phase() != Phase::on || (transport::recording_mark() == 0 && !follow_fork())) {
        return false;
    }
    if (told_to_record()) {
        return true;
    }
    if (order() == wire::control::stop) {
        switch_off(wire::off_reason::told_to_stop);
    }
    return false;
}

void take_shared_ring(Aside* aside) {
    bool new_writer = true;
    aside->mark = transport::recording_mark();
    if (!succeeded(lock_shared_ring(own_slot(), &aside->state, &new_writer))) {
        aside->state = nullptr;
    } else if (new_writer && !succeeded(introduce(aside->state))) {
        unlock_shared_ring(aside->state);
        aside->state = nullptr;
    }
}

// Where a signal handler has forked since and this is the child, the ring that the thread had is its parent's.
void stand_as_before(const Aside& aside) {
    const uint32_t mark = transport::recording_mark();
    const bool is_child = mark != 0 && transport::slot_of(mark) != transport::slot_of(aside.mark);
    if (!is_child || !aside.before.is_owner()) {
        set_standing(aside.before);
        return;
    }
    const uintptr_t position = aside.before.state()->guard;
    set_standing(position > stale_guard ? Standing::busy(position, false) : Standing());
}

}  // namespace

bool may_enter_aside(const unwind::Registers& at) {
    ErrnoScope keep;
    if (!is_recording()) {
        return false;
    }
    if (standing().is_busy() && !is_abandoned(nullptr, at)) {
        count_missed_call();
        return false;
    }
    return true;
}

Aside enter_aside(const unwind::Registers& at) {
    if (!may_enter_aside(at)) {
        return {};
    }
    ErrnoScope keep;
    Aside aside = {nullptr, standing(), 0};
    if (aside.before.is_busy()) {
        unlock_abandoned_rings();
        aside.before = aside.before.is_leaving() ? Standing::leaving() : Standing();
    }
    set_standing(Standing::busy(at.sp, aside.before.is_leaving()));
    take_shared_ring(&aside);
    if (aside.state == nullptr) {
        stand_as_before(aside);
    }
    return aside;
}

void leave_aside(const Aside& aside) {
    unlock_shared_ring(aside.state);
    stand_as_before(aside);
}

void recover_aside(Aside* aside, Written failure) {
    ErrnoScope keep;
    unlock_shared_ring(
        aside->state);  // refused by the kernel when the lock is not ours but, after a fork, our parent's
    aside->state = nullptr;
    const uint32_t mark = aside->mark;
    if (!succeeded(failure) && is_recording()) {
        take_shared_ring(aside);
        aside->mark = mark;
    }
    if (aside->state == nullptr) {
        stand_as_before(*aside);
    }
}

}  // namespace nh::process
