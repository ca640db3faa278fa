#include "native/process/abandoned.h"

extern "C" {
__attribute__((visibility("hidden"))) extern const char __ehdr_start[];
__attribute__((visibility("hidden"))) extern const char __etext[];
}

namespace nh::process {
namespace {

// One for all threads: this is rare, and who does not get it asks again at its next call.
stacks::Scratch spare;
uint32_t spare_taken;

bool is_own_code(uintptr_t pc) {
    return pc >= reinterpret_cast<uintptr_t>(__ehdr_start) && pc <= reinterpret_cast<uintptr_t>(__etext);
}

// A hook in progress has a frame on the stack, below the signal frame that interrupted it.
bool has_no_hook_on_stack(const unwind::Registers& at) {
    if (__atomic_exchange_n(&spare_taken, 1, __ATOMIC_ACQUIRE) != 0) {
        return false;
    }
    spare.bounds = {};
    unwind::StackEnd end;
    uint32_t count = unwind::walk(at, spare.bounds, spare.pcs, wire::max_frames, &end);
    bool none = end == unwind::StackEnd::root;
    for (uint32_t i = 0; i < count && none; i++) {
        none = !is_own_code(spare.pcs[i]);
    }
    __atomic_store_n(&spare_taken, 0, __ATOMIC_RELEASE);
    return none;
}

}  // namespace

bool is_abandoned(ThreadState* state, const unwind::Registers& at) {
    if (state == nullptr) {
        return has_no_hook_on_stack(at);
    }
    // Each true nested call costs a walk; many at one position are asked ever more rarely.
    if (state->refused_at != state->guard) {
        state->refused_at = state->guard;
        state->refusals = 0;
    }
    state->refusals++;
    return (state->refusals & (state->refusals - 1)) == 0 && has_no_hook_on_stack(at);
}

}  // namespace nh::process
