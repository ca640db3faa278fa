#include "native/process/thread_exit.h"

#include <pthread.h>

#include "native/process/elf_lookup.h"
#include "native/process/session.h"
#include "native/transport/fork_page.h"

namespace nh::process {
namespace {

// These moved from libpthread to libc in glibc 2.34 and got a new version there: importing them would ask for it.
using KeyCreate = int (*)(pthread_key_t*, void (*)(void*));
using SetSpecific = int (*)(pthread_key_t, const void*);

// The destructors of keys run in up to four rounds (PTHREAD_DESTRUCTOR_ITERATIONS), in no order between keys: staying
// until the third lets those of others allocate and free with the ring still ours. What comes after takes a shared
// ring.
constexpr uint32_t rounds_to_stay = 3;

SetSpecific set_specific;
pthread_key_t key;

void thread_ends(void* argument) {
    auto* state = static_cast<ThreadState*>(argument);
    if (standing() != Standing::owner(state) || !has_joined()) {
        return;  // in a forked child whose thread never recorded: the ring is its parent's
    }
    if (++state->exit_rounds < rounds_to_stay && set_specific(key, state) == 0) {
        return;
    }
    set_standing(Standing::leaving());
    if (transport::recording_mark() != 0) {
        release_ring(state);
    } else {
        state->owned = false;  // the region is nobody's any more
    }
}

}  // namespace

void prepare_thread_exit() {
    if (set_specific != nullptr) {
        return;  // as in an earlier session
    }
    auto create = reinterpret_cast<KeyCreate>(find_next_function("pthread_key_create"));
    auto set = reinterpret_cast<SetSpecific>(find_next_function("pthread_setspecific"));
    if (create != nullptr && set != nullptr && create(&key, thread_ends) == 0) {
        set_specific = set;
    }
}

void release_at_thread_exit(ThreadState* state) {
    if (set_specific != nullptr) {
        set_specific(key, state);
    }
}

}  // namespace nh::process
