// Hazard: an allocator's own entry points, which nobody but that allocator has. Asked for by name and called directly:
// other_allocators [jemalloc | tcmalloc | mimalloc | none | nothing] [wait]
//
// With "wait" it goes on, and calls them, when its standard input ends.
#include <dlfcn.h>
#include <stdbool.h>

#include "account.h"

enum { rounds = 100, large = 5000 };

// Null where the allocator is not there: a program may rely on that.
extern void* mallocx(size_t size, int flags) __attribute__((weak));
extern void* rallocx(void* block, size_t size, int flags) __attribute__((weak));
extern size_t xallocx(void* block, size_t size, size_t extra, int flags) __attribute__((weak));
extern void dallocx(void* block, int flags) __attribute__((weak));
extern void sdallocx(void* block, size_t size, int flags) __attribute__((weak));
extern void* tc_malloc(size_t size) __attribute__((weak));
extern void* tc_calloc(size_t count, size_t size) __attribute__((weak));
extern void* tc_realloc(void* block, size_t size) __attribute__((weak));
extern void* tc_memalign(size_t alignment, size_t size) __attribute__((weak));
extern int tc_posix_memalign(void** out, size_t alignment, size_t size) __attribute__((weak));
extern void* tc_new(size_t size) __attribute__((weak));
extern void tc_delete(void* block) __attribute__((weak));
extern void tc_free(void* block) __attribute__((weak));
extern void tc_cfree(void* block) __attribute__((weak));
extern void tc_free_sized(void* block, size_t size) __attribute__((weak));
extern void* mi_malloc(size_t size) __attribute__((weak));
extern void* mi_zalloc(size_t size) __attribute__((weak));
extern void* mi_calloc(size_t count, size_t size) __attribute__((weak));
extern void* mi_realloc(void* block, size_t size) __attribute__((weak));
extern void* mi_reallocn(void* block, size_t count, size_t size) __attribute__((weak));
extern void* mi_malloc_aligned(size_t size, size_t alignment) __attribute__((weak));
extern void* mi_new(size_t size) __attribute__((weak));
extern char* mi_strdup(const char* text) __attribute__((weak));
extern void mi_free(void* block) __attribute__((weak));
extern void mi_free_size(void* block, size_t size) __attribute__((weak));
// operator new and delete.
extern void* _Znwm(size_t size) __attribute__((weak));
extern void _ZdlPvm(void* block, size_t size) __attribute__((weak));

static struct account sum;

static void* born(void* block, size_t size) {
    sum.wrong += block == NULL;
    account_born(&sum, by_malloc, size);
    return block;
}

static void gone(size_t size) {
    account_gone(&sum, size);
}

static void* resized(void* block, size_t before, size_t after) {
    gone(before);
    return born(block, after);
}

static void with_jemalloc(void) {
    for (size_t i = 1; i <= rounds; i++) {
        void* a = born(mallocx(i, 0), i);
        void* b = born(mallocx(large + i, 1 << 6), large + i);  // MALLOCX_ZERO is 64
        a = resized(rallocx(a, 2 * large, 0), i, 2 * large);
        dallocx(a, 0);
        gone(2 * large);
        size_t usable = xallocx(b, large, 0, 0);
        if (usable >= large) {
            resized(b, large + i, large);
        }
        if (usable >= large && i % 2 == 0) {
            sdallocx(b, large, 0);
            gone(large);
        }
        // By C's functions what was made by the others, and the other way round.
        free(born(mallocx(i, 0), i));
        gone(i);
        dallocx(born(malloc(i), i), 0);
        gone(i);
    }
}

static void with_tcmalloc(void) {
    for (size_t i = 1; i <= rounds; i++) {
        void* a = born(tc_malloc(i), i);
        a = resized(tc_realloc(a, large), i, large);
        tc_free(a);
        gone(large);
        tc_cfree(born(tc_calloc(3, i), 3 * i));
        gone(3 * i);
        void* b = NULL;
        sum.wrong += tc_posix_memalign(&b, 64, i) != 0;
        tc_free_sized(born(b, i), i);
        gone(i);
        born(tc_memalign(128, i), i);
        tc_delete(born(tc_new(i), i));
        gone(i);
        free(born(tc_malloc(i), i));
        gone(i);
        tc_free(born(malloc(i), i));
        gone(i);
    }
}

static void with_mimalloc(void) {
    for (size_t i = 1; i <= rounds; i++) {
        void* a = born(mi_malloc(i), i);
        a = resized(mi_realloc(a, large), i, large);
        a = resized(mi_reallocn(a, 2, large), large, 2 * large);
        mi_free(a);
        gone(2 * large);
        mi_free_size(born(mi_zalloc(i), i), i);
        gone(i);
        mi_free(born(mi_calloc(3, i), 3 * i));
        gone(3 * i);
        born(mi_malloc_aligned(i, 128), i);
        mi_free(born(mi_strdup("twelve bytes"), sizeof "twelve bytes"));
        gone(sizeof "twelve bytes");
        mi_free(born(mi_new(i), i));
        gone(i);
        free(born(mi_malloc(i), i));
        gone(i);
        mi_free(born(malloc(i), i));
        gone(i);
    }
}

static void with_operators(void) {
    for (size_t i = 1; i <= rounds && _Znwm != NULL; i++) {
        _ZdlPvm(born(_Znwm(i), i), i);
        gone(i);
        born(_Znwm(large), large);
    }
}

static bool is_there(const char* name) {
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

int main(int argc, char** argv) {
    const char* allocator = argc > 1 ? argv[1] : "none";
    bool jemalloc = strcmp(allocator, "jemalloc") == 0, tcmalloc = strcmp(allocator, "tcmalloc") == 0,
         mimalloc = strcmp(allocator, "mimalloc") == 0;
    int there[] = {is_there("mallocx") || mallocx != NULL, is_there("tc_malloc") || tc_malloc != NULL,
                   is_there("mi_malloc") || mi_malloc != NULL};
    if (!asked_for_nothing(argc, argv)) {
        sum.wrong += there[0] != jemalloc || there[1] != tcmalloc || there[2] != mimalloc;
    }
    char byte;
    if (argc > 2) {
        while (read(0, &byte, 1) > 0) {
        }
    }
    if (sum.wrong == 0 && jemalloc) {
        with_jemalloc();
    } else if (sum.wrong == 0 && tcmalloc) {
        with_tcmalloc();
    } else if (sum.wrong == 0 && mimalloc) {
        with_mimalloc();
    }
    if (sum.wrong == 0 && (jemalloc || tcmalloc || mimalloc)) {
        with_operators();
    }
    account_print(&sum);
    return sum.wrong != 0;
}
