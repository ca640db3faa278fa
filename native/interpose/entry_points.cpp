// The exported allocation functions: let pass, or guard, delegate, return. No policy here; see reporting.cpp.
//
// What passes while births are sampled is forwarded by a jump; everything else jumps to the function that records it,
// which is entered as if the program had called it: its caller's frame is the program's.
#include <errno.h>

#include "native/interpose/hook.h"
#include "native/interpose/real.h"
#include "native/interpose/reporting.h"

#define NH_EXPORT extern "C" __attribute__((visibility("default")))
#define NH_RECORDS [[gnu::noinline]]

namespace {

using nh::interpose::Hook;
using nh::interpose::real;
using nh::interpose::real_functions;
using nh::interpose::release_passes;
using nh::interpose::release_passes_quickly;
using nh::interpose::report_alloc;
using nh::interpose::report_release;
using nh::interpose::Resize;
using nh::interpose::resize_passes;
using nh::unwind::caller_registers;
using nh::wire::marker;
namespace sampling = nh::sampling;

// Whoever sampling lets pass has been here before: the real functions are found.

[[gnu::always_inline]] inline bool passes(size_t count, size_t bytes) {
    size_t total;
    return !__builtin_mul_overflow(count, bytes, &total) && sampling::passes(total);
}

void* resize(Hook& hook, marker entry, void* block, size_t bytes) {
    if (!hook && !sampling::has_begun()) {
        return real().realloc(block, bytes);
    }
    Resize event(hook, entry, block, bytes);
    void* result = real().realloc(block, bytes);
    event.finish(result);
    return result;
}

NH_RECORDS void* record_malloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().malloc(bytes);
    report_alloc(hook, marker::entry_malloc, block, bytes);
    return block;
}

NH_RECORDS void* record_calloc(size_t count, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().calloc(count, bytes);
    report_alloc(hook, marker::entry_calloc, block, count * bytes);
    return block;
}

NH_RECORDS void* record_realloc(void* block, size_t bytes) {
    Hook hook(caller_registers());
    return resize(hook, marker::entry_realloc, block, bytes);
}

// On top of realloc, as libc's is, so that an allocator without it is not mixed with libc's.
NH_RECORDS void* record_reallocarray(void* block, size_t bytes) {
    Hook hook(caller_registers());
    return resize(hook, marker::entry_reallocarray, block, bytes);
}

NH_RECORDS void record_free(void* block) {
    if (release_passes(block)) {
        real().free(block);
        return;
    }
    Hook hook(caller_registers());
    report_release(hook, block);
    real().free(block);
}

NH_RECORDS int record_posix_memalign(void** out, size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    int error = real().posix_memalign(out, alignment, bytes);
    if (error == 0) {
        report_alloc(hook, marker::entry_posix_memalign, *out, bytes);
    }
    return error;
}

NH_RECORDS void* record_aligned_alloc(size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().aligned_alloc(alignment, bytes);
    report_alloc(hook, marker::entry_aligned_alloc, block, bytes);
    return block;
}

NH_RECORDS void* record_memalign(size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().memalign(alignment, bytes);
    report_alloc(hook, marker::entry_memalign, block, bytes);
    return block;
}

NH_RECORDS void* record_valloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().valloc(bytes);
    report_alloc(hook, marker::entry_valloc, block, bytes);
    return block;
}

NH_RECORDS void* record_pvalloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().pvalloc(bytes);
    report_alloc(hook, marker::entry_pvalloc, block, bytes);
    return block;
}

NH_RECORDS void record_free_sized(void* block, size_t bytes) {
    Hook hook(caller_registers());
    report_release(hook, block);  // also where nobody is to hear of it: compilers hardly call it
    real().free_sized != nullptr ? real().free_sized(block, bytes) : real().free(block);
}

NH_RECORDS void record_free_aligned_sized(void* block, size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    report_release(hook, block);
    real().free_aligned_sized != nullptr ? real().free_aligned_sized(block, alignment, bytes) : real().free(block);
}

}  // namespace

NH_EXPORT void* malloc(size_t bytes) {
    return sampling::passes(bytes) ? real_functions.malloc(bytes) : record_malloc(bytes);
}

NH_EXPORT void* calloc(size_t count, size_t bytes) {
    return passes(count, bytes) ? real_functions.calloc(count, bytes) : record_calloc(count, bytes);
}

NH_EXPORT void* realloc(void* block, size_t bytes) {
    return resize_passes(block, bytes) ? real_functions.realloc(block, bytes) : record_realloc(block, bytes);
}

NH_EXPORT void* reallocarray(void* block, size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return resize_passes(block, total) ? real_functions.realloc(block, total) : record_reallocarray(block, total);
}

NH_EXPORT void free(void* block) {
    if (release_passes_quickly(block)) {  // or there is none
        return real_functions.free(block);
    }
    if (block != nullptr) {
        record_free(block);
    }
}

NH_EXPORT int posix_memalign(void** out, size_t alignment, size_t bytes) {
    return sampling::passes(bytes) ? real_functions.posix_memalign(out, alignment, bytes)
                                   : record_posix_memalign(out, alignment, bytes);
}

NH_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
    return sampling::passes(bytes) ? real_functions.aligned_alloc(alignment, bytes)
                                   : record_aligned_alloc(alignment, bytes);
}

NH_EXPORT void* memalign(size_t alignment, size_t bytes) {
    return sampling::passes(bytes) ? real_functions.memalign(alignment, bytes) : record_memalign(alignment, bytes);
}

NH_EXPORT void* valloc(size_t bytes) {
    return sampling::passes(bytes) ? real_functions.valloc(bytes) : record_valloc(bytes);
}

NH_EXPORT void* pvalloc(size_t bytes) {
    return sampling::passes(bytes) ? real_functions.pvalloc(bytes) : record_pvalloc(bytes);
}

NH_EXPORT size_t malloc_usable_size(void* block) {
    return real().malloc_usable_size(block);
}

NH_EXPORT void free_sized(void* block, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    if (release_passes_quickly(block) && real_functions.free_sized != nullptr) {
        return real_functions.free_sized(block, bytes);
    }
    return record_free_sized(block, bytes);
}

NH_EXPORT void free_aligned_sized(void* block, size_t alignment, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    if (release_passes_quickly(block) && real_functions.free_aligned_sized != nullptr) {
        return real_functions.free_aligned_sized(block, alignment, bytes);
    }
    return record_free_aligned_sized(block, alignment, bytes);
}
