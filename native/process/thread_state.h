// What a thread needs to record: a ring and the scratch memory of the stack capture. States lie in one array, one
// per ring, so that owning a ring and owning its state is the same thing.
#pragma once
#include <stdint.h>

#include "native/stacks/capture.h"
#include "native/transport/region.h"
#include "native/transport/ring.h"

namespace nh::process {

// For a walk by a nested call, when `scratch` may be in use further up the stack. That walk may itself be interrupted
// and left by longjmp, so the place is taken by a ticket, can be taken away, and who lost it knows.
struct SpareScratch {
    uint64_t ticket;  // of who has it, 0: free
    uint64_t last_ticket;
    uint32_t refusals;
    stacks::Scratch scratch;
};

struct alignas(64) ThreadState {
    uintptr_t guard;  // 0, stale_guard, or the stack position of the hook that is using this state
    int* errno_at;    // this thread's errno
    transport::RingWriter ring;
    uint32_t index;  // of the ring
    uint32_t tid;
    uint32_t refusals;     // nested calls refused since the guard was last given back
    uint32_t exit_rounds;  // how often the thread's end was announced
    bool shared;           // one of the last rings, in use under its lock
    bool owned;            // a thread's standing names it
    bool wrote;            // this process has written into the ring: a forked child must cut it
    uint64_t cut;          // in a forked child: how far the parent had written
    bool cut_due;
    stacks::Scratch scratch;
    SpareScratch spare;
};

// The calling thread's standing, in one pointer of initial-exec storage:
//   0          never recorded
//   a state    owns a ring
//   busy       (position | 1) without a ring of its own, inside a hook or on its way to a ring
//   ringless   (release count << 2 | 2) there was no ring left when it last asked
//   leaving    the thread is past its last destructor that we hear of; a ring of its own would never be released
class Standing {
  public:
    explicit Standing(uintptr_t word = 0) : word_(word) {}
    static Standing owner(ThreadState* state) { return Standing(reinterpret_cast<uintptr_t>(state)); }
    // A stack position at a call is a multiple of 16 (psABI, 3.2.2): four bits are ours.
    static Standing busy(uintptr_t position, bool leaving) {
        return Standing((position & ~15ul) | 1 | (leaving ? 4 : 0));
    }
    static Standing ringless(uint32_t releases) { return Standing(static_cast<uintptr_t>(releases) << 2 | 2); }
    static Standing leaving() { return Standing(~0ul << 1); }

    bool is_owner() const { return word_ != 0 && (word_ & 3) == 0; }
    bool is_busy() const { return (word_ & 1) != 0; }
    bool is_leaving() const { return *this == leaving() || (is_busy() && (word_ & 4) != 0); }
    ThreadState* state() const { return reinterpret_cast<ThreadState*>(word_); }
    uintptr_t position() const { return word_ & ~uintptr_t{15}; }
    bool operator==(const Standing&) const = default;

  private:
    uintptr_t word_;
};

extern thread_local constinit uintptr_t standing_word __attribute__((tls_model("initial-exec")))
__attribute__((visibility("hidden")));

inline Standing standing() {
    return Standing(standing_word);
}
void set_standing(Standing standing);

// The guard of a state that is of an earlier session and in no hook's use: it is to be opened again.
constexpr uintptr_t stale_guard = 1;

// Maps the states and reads every ring; false when there is no memory or a ring is not as promised. Called again, for
// another region of the same layout at the same place, it keeps owned states with their owners, who are entered as
// such into the region's rings. heir: the thread that owns them all, where this is a forked child of the process they
// were taken in; else 0.
bool map_thread_states(const transport::Region& region, uint32_t heir);

// From now on rings are opened for that slot in that session.
void begin_ring_session(uint32_t session);

// Of the current session.
uint32_t mark_of(uint32_t slot);

bool is_of_earlier_session(const ThreadState& state);

// Waits until no hook is in use of a state that was opened with that mark, while no new one gets in; but at most a
// second for each: a thread may be stopped in one. The collector goes on making room for them.
void await_hooks(uint32_t mark);

ThreadState* thread_state(uint32_t ring);

// A free ring for the calling thread, warm ones first; null when all are taken. The caller owns it.
ThreadState* claim_ring(uint32_t slot);
void release_ring(ThreadState* state);

// Takes up the ring that the calling thread owned in an earlier session.
void reopen_ring(ThreadState* state, uint32_t slot);

// Counts the releases in this process: a ringless thread asks again when it changed.
uint32_t ring_releases();

// A shared ring under its lock, waiting for it as long as its holder gets on or the collector may yet make room for it;
// *state is null when it does not. *new_writer: the ring's last events are not of this thread.
transport::Written lock_shared_ring(uint32_t slot, ThreadState** state, bool* new_writer);
void unlock_shared_ring(ThreadState* state);
// Every shared ring that the caller still holds because a hook of it was left by longjmp.
void unlock_abandoned_rings();

// In a forked child: every state is forgotten; what the parent had written becomes due as cuts. Returns how many.
uint32_t forget_parent_states();

// The caller's thread id by nothing but a futex call.
uint32_t own_thread_id();

}  // namespace nh::process
