#include "native/interpose/real.h"

#include <errno.h>
#include <string.h>

#include "native/interpose/late_hooks.h"
#include "native/process/elf_lookup.h"

extern "C" {
#define NH_DECLARE(name, result, ...) result name(__VA_ARGS__);
NH_INTERPOSED(NH_DECLARE)
#undef NH_DECLARE
}

namespace nh::interpose {

constinit Real real_functions = {};

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

// Fresh pages are zero and stay untouched: reading one costs no memory, writing it does.
void clear(uint8_t* at, size_t bytes) {
    constexpr size_t piece = 4096;
    for (size_t length; bytes != 0; at += length, bytes -= length) {
        length = bytes < piece ? bytes : piece;
        if (at[0] != 0 || memcmp(at, at + 1, length - 1) != 0) {
            memset(at, 0, length);
        }
    }
}

void* cleared_memory(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        return no_memory(0);
    }
    void* block = real_functions.malloc(total);
    if (block != nullptr) {
        clear(static_cast<uint8_t*>(block), total);
    }
    return block;
}
int posix_aligned_memory(void** out, size_t alignment, size_t bytes) {
    if (alignment < sizeof(void*)) {
        return EINVAL;
    }
    const int before = errno;
    void* block = real_functions.aligned_alloc(alignment, bytes);
    const int error = block != nullptr ? 0 : errno;
    errno = before;
    if (block != nullptr) {
        *out = block;
    }
    return error;
}
void* page_aligned_memory(size_t bytes) {
    return real_functions.aligned_alloc(4096, bytes);
}

// Some functions of musl call malloc and aligned_alloc by their names, which are ours: one block would be told twice.
// What they do is done here.
void replace_musls_detours(Real& real) {
    real.calloc = cleared_memory;
    real.posix_memalign = posix_aligned_memory;
    real.memalign = real.aligned_alloc;
    real.valloc = page_aligned_memory;
}

void fill_in_missing(Real& real) {
    real.pvalloc = real.pvalloc != nullptr ? real.pvalloc : no_memory;
    real.valloc = real.valloc != nullptr ? real.valloc : no_memory;
    real.memalign = real.memalign != nullptr ? real.memalign : no_aligned_memory;
    real.aligned_alloc = real.aligned_alloc != nullptr ? real.aligned_alloc : no_aligned_memory;
    real.malloc_usable_size = real.malloc_usable_size != nullptr ? real.malloc_usable_size : no_usable_size;
}

}  // namespace

// Written out, not in a loop over a table: a table of names would need relocations.
void find_real_functions() {
#define NH_FIND(name, result, ...) \
    real_functions.name = reinterpret_cast<result (*)(__VA_ARGS__)>(process::find_next_function(#name));
    NH_INTERPOSED(NH_FIND)
#undef NH_FIND
    if (!process::is_glibc()) {
        replace_musls_detours(real_functions);
    }
    fill_in_missing(real_functions);
    __atomic_store_n(&real_functions.found, 1, __ATOMIC_RELEASE);
    hook_extensions();
}

namespace {

Effect effect_of(const char* name) {
    if (strncmp(name, "free", 4) == 0) {
        return Effect::frees;
    }
    return strncmp(name, "realloc", 7) == 0 ? Effect::resizes : Effect::allocates;
}

}  // namespace

uint32_t list_detours(Detour (&detours)[most_detours]) {
    uint32_t count = 0;
#define NH_LIST(name, result, ...)                                                                     \
    detours[count] = {#name, process::find_next_function(#name), reinterpret_cast<uintptr_t>(&::name), \
                      effect_of(#name), 0};                                                            \
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
