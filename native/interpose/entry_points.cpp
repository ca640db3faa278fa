// The exported allocation functions: guard, delegate, return. No policy here; see reporting.cpp.
#include <errno.h>

#include "native/interpose/hook.h"
#include "native/interpose/real.h"
#include "native/interpose/reporting.h"

#define NH_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using nh::interpose::Hook;
using nh::interpose::real;
using nh::interpose::report_alloc;
using nh::interpose::report_release;
using nh::interpose::Resize;
using nh::unwind::caller_registers;
using nh::wire::marker;

void* resize(Hook& hook, marker entry, void* block, size_t bytes) {
    if (!hook) {
        return real().realloc(block, bytes);
    }
    Resize event(hook, entry, block, bytes);
    void* result = real().realloc(block, bytes);
    event.finish(result);
    return result;
}

}  // namespace

NH_EXPORT void* malloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().malloc(bytes);
    if (hook) {
        report_alloc(hook, marker::entry_malloc, block, bytes);
    }
    return block;
}

NH_EXPORT void* calloc(size_t count, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().calloc(count, bytes);
    if (hook) {
        report_alloc(hook, marker::entry_calloc, block, count * bytes);
    }
    return block;
}

NH_EXPORT void* realloc(void* block, size_t bytes) {
    Hook hook(caller_registers());
    return resize(hook, marker::entry_realloc, block, bytes);
}

// On top of realloc, as libc's is, so that an allocator without it is not mixed with libc's.
NH_EXPORT void* reallocarray(void* block, size_t count, size_t bytes) {
    Hook hook(caller_registers());
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return nullptr;
    }
    return resize(hook, marker::entry_reallocarray, block, total);
}

NH_EXPORT void free(void* block) {
    if (block == nullptr) {
        return;
    }
    Hook hook(caller_registers());
    if (hook) {
        report_release(hook, block);
    }
    real().free(block);
}

NH_EXPORT int posix_memalign(void** out, size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    int error = real().posix_memalign(out, alignment, bytes);
    if (hook && error == 0) {
        report_alloc(hook, marker::entry_posix_memalign, *out, bytes);
    }
    return error;
}

NH_EXPORT void* aligned_alloc(size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().aligned_alloc(alignment, bytes);
    if (hook) {
        report_alloc(hook, marker::entry_aligned_alloc, block, bytes);
    }
    return block;
}

NH_EXPORT void* memalign(size_t alignment, size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().memalign(alignment, bytes);
    if (hook) {
        report_alloc(hook, marker::entry_memalign, block, bytes);
    }
    return block;
}

NH_EXPORT void* valloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().valloc(bytes);
    if (hook) {
        report_alloc(hook, marker::entry_valloc, block, bytes);
    }
    return block;
}

NH_EXPORT void* pvalloc(size_t bytes) {
    Hook hook(caller_registers());
    void* block = real().pvalloc(bytes);
    if (hook) {
        report_alloc(hook, marker::entry_pvalloc, block, bytes);
    }
    return block;
}

NH_EXPORT size_t malloc_usable_size(void* block) {
    return real().malloc_usable_size(block);
}

NH_EXPORT void free_sized(void* block, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    Hook hook(caller_registers());
    if (hook) {
        report_release(hook, block);
    }
    real().free_sized != nullptr ? real().free_sized(block, bytes) : real().free(block);
}

NH_EXPORT void free_aligned_sized(void* block, size_t alignment, size_t bytes) {
    if (block == nullptr) {
        return;
    }
    Hook hook(caller_registers());
    if (hook) {
        report_release(hook, block);
    }
    real().free_aligned_sized != nullptr ? real().free_aligned_sized(block, alignment, bytes) : real().free(block);
}
