// System calls without libc: no errno, no cancellation point, no lazily bound call, usable before any relocation.
// Each returns what the kernel returns: a result, or a negative error number.
#pragma once
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "native/unwind/architecture.h"

namespace nh::transport::kernel {

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    return unwind::system_call(number, a, b, c, d, e, f);
}

inline long address(const void* pointer) {
    return reinterpret_cast<long>(pointer);
}

inline bool is_error(const void* mapped) {
    return reinterpret_cast<uintptr_t>(mapped) > -4096ul;
}

inline void* mmap(void* at, size_t bytes, int protection, int flags, int descriptor) {
    return reinterpret_cast<void*>(
        call(SYS_mmap, address(at), static_cast<long>(bytes), protection, flags, descriptor, 0));
}

inline long munmap(void* at, size_t bytes) {
    return call(SYS_munmap, address(at), static_cast<long>(bytes));
}

inline long madvise(void* at, size_t bytes, int advice) {
    return call(SYS_madvise, address(at), static_cast<long>(bytes), advice);
}

inline long close(int descriptor) {
    return call(SYS_close, descriptor);
}

inline long futex(uint32_t* word, int operation, uint32_t value, const timespec* timeout = nullptr) {
    return call(SYS_futex, address(word), operation, static_cast<long>(value), address(timeout));
}

}  // namespace nh::transport::kernel
