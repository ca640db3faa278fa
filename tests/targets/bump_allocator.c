// A second allocator, linked by a program as jemalloc might be: never reuses memory, takes no lock, and so may be
// called from a signal handler.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static const size_t room = (size_t)4 << 30;
static _Atomic(uintptr_t) next;
static _Atomic(uintptr_t) base;

static uintptr_t start(void) {
    uintptr_t at = atomic_load(&base);
    if (at != 0) {
        return at;
    }
    void* memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return 0;
    }
    if (!atomic_compare_exchange_strong(&base, &at, (uintptr_t)memory)) {
        munmap(memory, room);
        return at;
    }
    return (uintptr_t)memory;
}

// A block has its size in the 16 bytes before it.
static void* take(size_t alignment, size_t size) {
    uintptr_t from = start();
    size_t whole = size + alignment + 32;
    uintptr_t offset = from == 0 || size > room ? room : atomic_fetch_add(&next, whole);
    if (offset > room - whole) {
        errno = ENOMEM;
        return NULL;
    }
    uintptr_t at = (from + offset + 16 + alignment - 1) / alignment * alignment;
    memcpy((void*)(at - 16), &size, sizeof size);
    return (void*)at;
}

void* malloc(size_t size) {
    return take(16, size);
}
void free(void* at) {
    (void)at;
}
void* calloc(size_t count, size_t size) {
    size_t whole;
    if (__builtin_mul_overflow(count, size, &whole)) {
        errno = ENOMEM;
        return NULL;
    }
    return take(16, whole);
}
void* realloc(void* old, size_t size) {
    void* at = take(16, size);
    if (at != NULL && old != NULL) {
        size_t before;
        memcpy(&before, (char*)old - 16, sizeof before);
        memcpy(at, old, before < size ? before : size);
    }
    return at;
}
void* memalign(size_t alignment, size_t size) {
    return take(alignment < 16 ? 16 : alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
    void* at = memalign(alignment, size);
    if (at != NULL) {
        *out = at;
    }
    return at == NULL ? ENOMEM : 0;
}

// Says that this very allocator is in use, not libc's.
int bump_allocator_has(const void* at) {
    return (uintptr_t)at - atomic_load(&base) < room;
}
