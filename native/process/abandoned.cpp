#include "native/process/abandoned.h"

#include "native/process/own_code.h"

namespace nh::process {
namespace {

bool is_own_code(uintptr_t pc) {
    return pc - own_code_start() < own_code_bytes();
}

// Of threads without a ring of their own. Taking it from another thread in mid-walk could mislead that one, so it
// takes many more refusals than a walk can last for.
SpareScratch ringless_spare;
constexpr uint32_t patience_with_others = 4096;
constexpr uint32_t patience_with_oneself = 64;

// The ticket, or 0: somebody else is at it.
uint64_t take(SpareScratch& spare, uint32_t patience) {
    uint64_t holder = __atomic_load_n(&spare.ticket, __ATOMIC_RELAXED);
    if (holder != 0 && __atomic_add_fetch(&spare.refusals, 1, __ATOMIC_RELAXED) < patience) {
        return 0;
    }
    uint64_t ticket = __atomic_add_fetch(&spare.last_ticket, 1, __ATOMIC_RELAXED);
    if (!__atomic_compare_exchange_n(&spare.ticket, &holder, ticket, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return 0;
    }
    __atomic_store_n(&spare.refusals, 0, __ATOMIC_RELAXED);
    return ticket;
}

// False when it was taken away meanwhile, and what was found in it means nothing.
bool give_back(SpareScratch& spare, uint64_t ticket) {
    return __atomic_compare_exchange_n(&spare.ticket, &ticket, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

// A hook in progress has a frame on the stack, below the signal frame that interrupted it.
bool has_no_hook_on_stack(const unwind::Registers& at, SpareScratch& spare, uint32_t patience) {
    uint64_t ticket = take(spare, patience);
    if (ticket == 0) {
        return false;
    }
    spare.scratch.bounds = {};
    unwind::StackEnd end;
    uint32_t count = unwind::walk(at, spare.scratch.bounds, spare.scratch.pcs, wire::max_frames, &end);
    bool none = end == unwind::StackEnd::root || end == unwind::StackEnd::guessed;
    for (uint32_t i = 0; i < count && none; i++) {
        none = !is_own_code(spare.scratch.pcs[i]);
    }
    return give_back(spare, ticket) && none;
}

}  // namespace

bool is_abandoned(ThreadState* state, const unwind::Registers& at) {
    if (state == nullptr) {
        return has_no_hook_on_stack(at, ringless_spare, patience_with_others);
    }
    // Each nested call costs a walk: many in one hook are asked ever more rarely. But when a walk was left by longjmp
    // itself, every call brings the moment nearer at which its place is taken.
    state->refusals++;
    bool due = (state->refusals & (state->refusals - 1)) == 0;
    bool walk_is_pending = __atomic_load_n(&state->spare.ticket, __ATOMIC_RELAXED) != 0;
    return (due || walk_is_pending) && has_no_hook_on_stack(at, state->spare, patience_with_oneself);
}

}  // namespace nh::process
