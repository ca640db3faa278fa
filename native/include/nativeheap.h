/*
 * nativeheap.h: what a program may ask NativeHeap for. There is nothing to link: without the profiler every call does
 * nothing, and says so.
 *
 * C99 and later, C++11 and later, on Linux. Needs dlsym (-ldl before glibc 2.34). Any thread may call anything; not
 * from signal handlers.
 *
 * LeakSanitizer's interface (sanitizer/lsan_interface.h) works, too: __lsan_disable, __lsan_enable,
 * __lsan_ignore_object, __lsan_register_root_region, __lsan_unregister_root_region, __lsan_do_leak_check and
 * __lsan_do_recoverable_leak_check. Declare them weak to link without it. What a program's
 * __lsan_default_suppressions returns is not reported.
 */
#ifndef NATIVEHEAP_H
#define NATIVEHEAP_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a heap-check found; bytes are requested bytes. */
struct nativeheap_leaks {
    uint64_t definite_bytes, definite_blocks;   /* nothing points to them */
    uint64_t indirect_bytes, indirect_blocks;   /* lost with those */
    uint64_t possible_bytes, possible_blocks;   /* something points into their midst */
    uint64_t reachable_bytes, reachable_blocks; /* held */
};

/* A function of the profiler; NULL when it is not there. The copy keeps ISO C quiet about functions as objects. */
static inline int nativeheap_find_(const char* name, void* function) {
    void* found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

/* Whether calls are being recorded. */
static inline int nativeheap_active(void) {
    int (*is_recording)(void);
    return nativeheap_find_("nativeheap_is_recording", &is_recording) && is_recording();
}

/* Checks the heap now: the process stands still meanwhile, and what is lost is reported on the profiler's stderr.
 * since_last: leave out what the process's check before this one had found.
 * Returns 1 when blocks are definitely or indirectly lost, 0 when none are, -1 when nobody could check; then *found,
 * which may be NULL, is all zero. */
static inline int nativeheap_find_leaks(int since_last, struct nativeheap_leaks* found) {
    int (*check)(struct nativeheap_leaks*, int);
    int result = nativeheap_find_("nativeheap_check", &check) ? check(found, since_last) : -1;
    if (result < 0 && found != NULL) {
        memset(found, 0, sizeof *found);
    }
    return result;
}

/* Marks this moment in the recording: `nativeheap report TRACE@name` shows what was live. At most 63 bytes of UTF-8;
 * NULL: it has a number only. Returns 0, or -1 when there is no recording or the name is taken. */
static inline int nativeheap_mark(const char* name) {
    int (*snapshot)(const char*);
    return nativeheap_find_("nativeheap_snapshot", &snapshot) ? snapshot(name) : -1;
}

/* As gperftools' HeapProfilerStop and HeapProfilerStart: between these, what the process allocates is not recorded, and
 * is in no report; frees of recorded blocks still count. A heap-check reports no block of that time; what it holds is
 * held. Processes that were forked from each other stop and start together. Return 0, or -1 when there is no recording.
 */
static inline int nativeheap_stop(void) {
    int (*record)(int);
    return nativeheap_find_("nativeheap_record", &record) ? record(0) : -1;
}
static inline int nativeheap_start(void) {
    int (*record)(int);
    return nativeheap_find_("nativeheap_record", &record) ? record(1) : -1;
}

/* Between these, what the calling thread allocates is no leak, nor is what hangs off it. They nest. */
static inline void nativeheap_disable_leaks(void) {
    void (*disable)(void);
    if (nativeheap_find_("__lsan_disable", &disable)) {
        disable();
    }
}
static inline void nativeheap_enable_leaks(void) {
    void (*enable)(void);
    if (nativeheap_find_("__lsan_enable", &enable)) {
        enable();
    }
}

/* For allocators of a program's own (pools, arenas): a block was given out, or is about to be taken back. Its stack is
 * recorded with the entry `pool`. It lies in memory that malloc or mmap gave, and malloc's block is counted, too: what
 * is of `pool` in a report is part of the rest and not more of it. A heap-check, `refs` and the table of resident
 * memory know the memory around it alone. Each address has one such block at a time; an arena that drops all its blocks
 * at once says so for each. Tell of a block before somebody else has it, and of its end before its memory is given
 * anew. Weak references, so that a pool pays for a test of a pointer where there is no profiler; a program that is
 * attached to has bound them before, and its pools are not seen. */
__attribute__((weak)) void nativeheap_block_allocated(const void* block, size_t bytes);
__attribute__((weak)) void nativeheap_block_freed(const void* block);

static inline void nativeheap_pool_allocated(const void* block, size_t bytes) {
    if (nativeheap_block_allocated != NULL) {
        nativeheap_block_allocated(block, bytes);
    }
}
static inline void nativeheap_pool_freed(const void* block) {
    if (nativeheap_block_freed != NULL) {
        nativeheap_block_freed(block);
    }
}

#ifdef __cplusplus
} /* extern "C" */

namespace nativeheap {

/* What its thread allocates while it lives is no leak. */
class no_leaks_here {
  public:
    no_leaks_here() { nativeheap_disable_leaks(); }
    ~no_leaks_here() { nativeheap_enable_leaks(); }
    no_leaks_here(const no_leaks_here&) = delete;
    no_leaks_here& operator=(const no_leaks_here&) = delete;
};

/* What was lost between its birth and find(); as gperftools' HeapLeakChecker. Whichever thread lost it. */
class leak_scope {
  public:
    leak_scope() : works_(nativeheap_find_leaks(0, nullptr) >= 0) {}
    leak_scope(const leak_scope&) = delete;
    leak_scope& operator=(const leak_scope&) = delete;

    /* True when nothing was lost since it was made, or since the last call; also when nobody could check. */
    bool no_leaks() { return !works_ || nativeheap_find_leaks(1, &found_) <= 0; }

    const nativeheap_leaks& found() const { return found_; }

  private:
    bool works_;
    nativeheap_leaks found_ = {};
};

} /* namespace nativeheap */
#endif

#endif
