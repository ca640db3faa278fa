// This process as a recorder: its start, its forks, its end of recording, and the way of a hook into it.
//
// A hook enters, may write events, and leaves. In between it owns a ThreadState that nobody else touches, which is
// what makes it safe to capture a stack and to write into the ring.
#pragma once
#include <stdint.h>

#include "native/process/thread_state.h"
#include "native/transport/region.h"
#include "native/transport/ring.h"
#include "native/unwind/unwinder.h"

namespace nh::process {

// The region this process takes part in; meaningful while recording_mark() is not 0. While the process is attached or
// detached its header is a stand-in, so that what hooks are told changes for all threads of this process at once.
extern transport::Region region __attribute__((visibility("hidden")));

inline wire::control order() {
    return static_cast<wire::control>(__atomic_load_n(&region.header->control, __ATOMIC_RELAXED));
}

// Of a stand-in: hooks forward, and recording is not over.
constexpr auto stay_out = static_cast<wire::control>(static_cast<uint32_t>(wire::control::stop) + 1);

// In a pause the ends of blocks are still told: those that were born before it must not seem to live on.
inline bool told_to_record() {
    return order() < wire::control::stop;
}

inline bool is_paused() {
    return order() == wire::control::pause;
}

// The rest of enter(): start, fork, pause, nested calls, threads without a ring.
ThreadState* enter_slow(const unwind::Registers& at);
void leave_shared(ThreadState* state);

// Counts a call that was forwarded without an event although recording was on.
void count_missed_call();

// Null: the call must be forwarded without a record. Keeps errno.
inline ThreadState* enter(const unwind::Registers& at) {
    if (__builtin_expect(transport::recording_mark() != 0, 1)) {
        Standing thread = standing();
        if (__builtin_expect(thread.is_owner() && thread.state()->guard == 0 && told_to_record(), 1)) {
            thread.state()->guard = at.sp;
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
            return thread.state();
        }
    }
    return enter_slow(at);
}

inline void leave(ThreadState* state) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (__builtin_expect(state->shared, 0)) {
        leave_shared(state);
    } else {
        state->refusals = 0;
        state->guard = 0;
    }
}

// After an event could not be written: null when recording has ended, else the state to write it with, for this has
// become a forked child and its numbers must be taken anew.
ThreadState* recover(ThreadState* state, uintptr_t position, transport::Written failure);

// The way of what may happen in the midst of another hook of the same thread, as an allocator's mmap within its malloc:
// beside the thread's own ring, by a shared one, whose lock is held from one to the other.
struct Aside {
    ThreadState* state = nullptr;   // nothing can be written
    Standing before = Standing(0);  // the thread's
    uint32_t mark = 0;              // the recording mark by which it was entered
};

// Whether enter_aside() would be let in; nothing changes. Keeps errno.
bool may_enter_aside(const unwind::Registers& at);

// state is null where recording is off, or (which is counted) in the midst of another call of this, and in a hook of a
// thread that holds a shared ring itself. Keeps errno.
Aside enter_aside(const unwind::Registers& at);
void leave_aside(const Aside& aside);

// As recover().
void recover_aside(Aside* aside, transport::Written failure);

}  // namespace nh::process
