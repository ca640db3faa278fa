#include "native/process/check.h"

#include <errno.h>
#include <time.h>

#include "native/process/process.h"
#include "native/transport/kernel.h"
#include "native/unwind/architecture.h"
#include "native/unwind/try_lock.h"

namespace nh::process {
namespace {

constexpr uint32_t most_rounds = 100;  // of some 200 ms

// A vfork child runs in its parent's memory, its thread storage included, under a number of its own.
bool is_borrowed(const wire::slot& slot) {
    uint32_t tid = own_thread_id();
    Standing thread = standing();
    return thread.is_owner() ? thread.state()->tid != tid : slot.pid != tid;
}

bool wait(wire::slot* slot, uint32_t number) {
    transport::Patience patience(region);
    for (;;) {
        uint32_t done = __atomic_load_n(&slot->check_done, __ATOMIC_ACQUIRE);
        if (done == number) {
            return true;
        }
        if (patience.look() != transport::Written::yes) {
            return false;
        }
        timespec round = {0, transport::look_again_ns};
        transport::kernel::futex(&slot->check_done, FUTEX_WAIT, done, &round);
    }
}

bool request(wire::slot* slot, wire::check_reason reason, uintptr_t stack) {
    slot->check_thread = own_thread_id();
    slot->check_stack = stack;
    slot->check_reason = static_cast<uint32_t>(reason);
    uint32_t number = __atomic_add_fetch(&slot->check_wanted, 1, __ATOMIC_RELEASE);
    transport::wake_collector(region);
    return wait(slot, number);
}

// One of a program's threads asks at a time; others are told that nobody did it only when they have waited long.
unwind::TryLock asking;

}  // namespace

bool checks(wire::check_reason reason) {
    return transport::recording_mark() != 0 &&
           (__atomic_load_n(&region.header->checks, __ATOMIC_RELAXED) & static_cast<uint32_t>(reason)) != 0;
}

// The caller's callers may have their only pointer in a register that calls preserve: those are put into this frame,
// and the stack counts from there.
[[gnu::noinline]] void await_check(wire::check_reason reason) {
    __builtin_unwind_init();
    const uint32_t mark = transport::recording_mark();
    if (mark == 0 || !checks(reason)) {
        return;
    }
    auto stack = reinterpret_cast<uintptr_t>(static_cast<uintptr_t*>(__builtin_frame_address(0)) -
                                             unwind::saved_below_frame_pointer);
    int saved = errno;
    wire::slot* slot = &region.slots[transport::slot_of(mark)];
    if (!is_borrowed(*slot)) {
        request(slot, reason, stack);
    }
    errno = saved;
}

bool ask(wire::check_reason reason, const char* name, uintptr_t stack, CheckAnswer* answer) {
    const uint32_t mark = transport::recording_mark();
    if (mark == 0 || !checks(reason)) {
        return false;
    }
    int saved = errno;
    wire::slot* slot = &region.slots[transport::slot_of(mark)];
    bool done = false;
    if (!is_borrowed(*slot)) {
        for (uint32_t round = 0; round < most_rounds && !done; ++round) {
            unwind::TryLock::Hold hold(asking);
            if (!hold.held()) {
                continue;
            }
            size_t length = 0;
            for (; name != nullptr && name[length] != 0 && length < sizeof slot->name - 1; ++length) {
                slot->name[length] = static_cast<uint8_t>(name[length]);
            }
            slot->name[length] = 0;
            slot->check_result = static_cast<uint32_t>(wire::check_result::none);
            done =
                request(slot, reason, stack) && slot->check_result == static_cast<uint32_t>(wire::check_result::done);
            *answer = {{slot->definite_bytes, slot->definite_blocks, slot->indirect_bytes, slot->indirect_blocks,
                        slot->possible_bytes, slot->possible_blocks, slot->reachable_bytes, slot->reachable_blocks},
                       slot->check_exit_code};
            break;
        }
    }
    errno = saved;
    return done;
}

}  // namespace nh::process
