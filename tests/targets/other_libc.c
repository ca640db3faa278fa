// A program of musl: every allocation function that it has, another thread, and blocks that are lost. other_libc starts
// PROGRAM first runs that in a child. Built with musl-gcc, and so without the C library that the shim was built
// against.
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>

#include "account.h"

enum { large = 3000000 };

static struct account account;

static void expect(int kept) {
    account.wrong += !kept;
}

static __attribute__((noinline)) unsigned char* born(enum entry entry, void* at, size_t size, size_t alignment) {
    expect(at != NULL && (uintptr_t)at % alignment == 0 && malloc_usable_size(at) >= size);
    account_born(&account, entry, size);
    return at;
}

static void let_go(void* at, size_t size) {
    account_gone(&account, size);
    free(at);
}

static unsigned char* cleared(size_t size) {
    unsigned char* at = born(by_calloc, calloc(2, size / 2), size, 16);
    for (size_t i = 0; i < size; i++) {
        expect(at[i] == 0);
    }
    return at;
}

static void every_function(void) {
    for (size_t size = 16; size < large; size *= 7) {
        memset(born(by_malloc, malloc(size), size, 16), 0xAB, size);
        let_go(memset(born(by_malloc, malloc(size), size, 16), 0xAB, size), size);
        let_go(cleared(size & ~1u), size & ~1u);  // often where the last one was
        let_go(born(by_aligned_alloc, aligned_alloc(256, size), size, 256), size);
        let_go(born(by_memalign, memalign(512, size), size, 512), size);
        let_go(born(by_valloc, valloc(size), size, 4096), size);
        void* at = NULL;
        expect(posix_memalign(&at, 128, size) == 0);
        let_go(born(by_posix_memalign, at, size, 128), size);
        at = born(by_realloc, realloc(NULL, size), size, 16);
        account_gone(&account, size);
        at = born(by_realloc, realloc(at, 3 * size), 3 * size, 16);
        account_gone(&account, 3 * size);
        let_go(born(by_reallocarray, reallocarray(at, size, 2), 2 * size, 16), 2 * size);
    }
}

static void every_failure(void) {
    void* untouched = &account;
    errno = 0;
    expect(posix_memalign(&untouched, 2, 100) == EINVAL && untouched == &account && errno == 0);
    expect(posix_memalign(&untouched, 64, SIZE_MAX / 2) == ENOMEM && untouched == &account);
    expect(calloc(SIZE_MAX / 2, 4) == NULL && errno == ENOMEM);
    errno = 0;
    expect(malloc(SIZE_MAX / 2) == NULL && errno == ENOMEM);
}

static __attribute__((noinline)) void lose(void) {
    (void)born(by_malloc, malloc(1001), 1001, 16);
    __asm__ volatile("");
}

static void* work(void* nothing) {
    for (int i = 0; i < 10; i++) {
        lose();
    }
    return nothing;
}

int main(int argc, char** argv) {
    if (argc > 2) {
        int status = -1;
        pid_t child = fork();
        if (child == 0) {
            execl(argv[2], argv[2], (char*)NULL);
            _exit(127);
        }
        expect(waitpid(child, &status, 0) == child && status == 0);
    }
    pthread_t thread;
    if (!asked_for_nothing(argc, argv)) {
        every_function();
        every_failure();
        expect(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    account_print(&account);
    return account.wrong == 0 ? 0 : 1;
}
