#include "native/interpose/real.h"

#include <errno.h>
#include <string.h>

#include "native/process/elf_lookup.h"

extern "C" {
#define NH_DECLARE(name, result, ...) result name(__VA_ARGS__);
NH_INTERPOSED(NH_DECLARE)
#undef NH_DECLARE
}

namespace nh::interpose {

namespace {

// Where an allocator and libc both lack one: as if there were no memory.
void* no_memory(size_t) {
    errno = ENOMEM;
    return nullptr;
}
void* no_aligned_memory(size_t, size_t) {
    return no_memory(0);
}
size_t no_usable_size(void*) {
    return 0;
}

void fill_in_missing(Real& real) {
    real.pvalloc = real.pvalloc != nullptr ? real.pvalloc : no_memory;
    real.valloc = real.valloc != nullptr ? real.valloc : no_memory;
    real.memalign = real.memalign != nullptr ? real.memalign : no_aligned_memory;
    real.aligned_alloc = real.aligned_alloc != nullptr ? real.aligned_alloc : no_aligned_memory;
    real.malloc_usable_size = real.malloc_usable_size != nullptr ? real.malloc_usable_size : no_usable_size;
}

}  // namespace

constinit Real real_functions = {};

// Written out, not in a loop over a table: a table of names would need relocations.
void find_real_functions() {
#define NH_FIND(name, result, ...) \
    real_functions.name = reinterpret_cast<result (*)(__VA_ARGS__)>(process::find_next_function(#name));
    NH_INTERPOSED(NH_FIND)
#undef NH_FIND
    fill_in_missing(real_functions);
    __atomic_store_n(&real_functions.found, 1, __ATOMIC_RELEASE);
}

uint32_t list_detours(Detour (&detours)[most_detours]) {
    uint32_t count = 0;
#define NH_LIST(name, result, ...)                                                                      \
    detours[count] = {#name, process::find_next_function(#name), reinterpret_cast<uintptr_t>(&::name)}; \
    count += reinterpret_cast<uintptr_t>(real().name) == detours[count].real && detours[count].real != 0 ? 1 : 0;
    NH_INTERPOSED(NH_LIST)
#undef NH_LIST
    return count;
}

void* prefer_own(const char* name, void* found) {
    struct Pair {
        const char* name;
        void* behind;
        void* own;
    };
    const Pair pairs[] = {
#define NH_PAIR(name, result, ...) {#name, reinterpret_cast<void*>(real().name), reinterpret_cast<void*>(&::name)},
        NH_INTERPOSED(NH_PAIR)
#undef NH_PAIR
    };
    // By name first: libc has one address for several of them (aligned_alloc and memalign up to 2.37).
    for (const Pair& pair : pairs) {
        if (pair.behind == found && strcmp(pair.name, name) == 0) {
            return pair.own;
        }
    }
    for (const Pair& pair : pairs) {
        if (pair.behind == found) {
            return pair.own;  // an alias such as __libc_malloc
        }
    }
    return found;
}

}  // namespace nh::interpose
