// The functions we stand in front of: the next ones in search order, libc's or another allocator's.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace nh::interpose {

// One line a function that this library exports: name, result, parameter types.
#define NH_INTERPOSED(X)                               \
    X(malloc, void*, size_t)                           \
    X(calloc, void*, size_t, size_t)                   \
    X(realloc, void*, void*, size_t)                   \
    X(reallocarray, void*, void*, size_t, size_t)      \
    X(free, void, void*)                               \
    X(posix_memalign, int, void**, size_t, size_t)     \
    X(aligned_alloc, void*, size_t, size_t)            \
    X(memalign, void*, size_t, size_t)                 \
    X(valloc, void*, size_t)                           \
    X(pvalloc, void*, size_t)                          \
    X(malloc_usable_size, size_t, void*)               \
    X(free_sized, void, void*, size_t)                 \
    X(free_aligned_sized, void, void*, size_t, size_t) \
    X(dlsym, void*, void*, const char*)                \
    X(dlvsym, void*, void*, const char*, const char*)  \
    X(dlopen, void*, const char*, int)                 \
    X(dlmopen, void*, long, const char*, int)          \
    X(dlclose, int, void*)

struct Real {
#define NH_MEMBER(name, result, ...) result (*name)(__VA_ARGS__);
    NH_INTERPOSED(NH_MEMBER)
#undef NH_MEMBER
    uint32_t found;  // set last
};

// Null members: nobody behind us has that function.
extern Real real_functions __attribute__((visibility("hidden")));

// Looks them up. Threads that come at once find the same. Works before this library is relocated.
void find_real_functions();

inline const Real& real() {
    if (__builtin_expect(__atomic_load_n(&real_functions.found, __ATOMIC_ACQUIRE) == 0, 0)) {
        find_real_functions();
    }
    return real_functions;
}

enum class Effect : uint8_t { frees, resizes, allocates };

// Where calls are directed to and from, one for each of NH_INTERPOSED that the process has.
struct Detour {
    const char* name;
    uintptr_t real;
    uintptr_t own;
    Effect effect;
    uintptr_t owner;  // base of the library whose calls to itself are not directed; 0: none
};
constexpr uint32_t most_detours = 18;

// Fills in the detours, in the order of NH_INTERPOSED; returns how many.
uint32_t list_detours(Detour (&detours)[most_detours]);

// Our own function of that name if `found` is the one behind it, else `found`: what a look-up on a single library's
// handle should give, so that a caller who asks libc itself for malloc is seen too.
void* prefer_own(const char* name, void* found);

}  // namespace nh::interpose
