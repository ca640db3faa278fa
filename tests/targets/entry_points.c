// Hazard: every exported entry point with its odd cases: size zero, failure, shrink, grow, overflow, errno.
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>

#include "account.h"

// C23; only there when the allocator in use has them.
__attribute__((weak)) void free_sized(void* at, size_t size);
__attribute__((weak)) void free_aligned_sized(void* at, size_t alignment, size_t size);

enum { marked_errno = 77, many = 64 };

static struct account account;
// volatile: the compiler would warn of what it can foresee.
static volatile size_t too_much = SIZE_MAX / 2 + 1;
static volatile size_t huge_count = SIZE_MAX / 2;

static void expect(bool kept) {
    account.wrong += !kept;
}

static struct block born(enum entry entry, void* at, size_t size, size_t alignment) {
    expect(at != NULL && errno == marked_errno && (uintptr_t)at % alignment == 0);
    expect(malloc_usable_size(at) >= size);
    account_born(&account, entry, size);
    memset(at, (int)(size & 0xFF), size);
    return (struct block){at, size};
}

static struct block make(enum entry entry, size_t size) {
    void* at = NULL;
    errno = marked_errno;
    switch (entry) {
        case by_malloc:
            return born(entry, malloc(size), size, 16);
        case by_calloc:
            at = calloc(3, size);
            for (size_t i = 0; i < 3 * size; i++) {
                expect(((char*)at)[i] == 0);
            }
            return born(entry, at, 3 * size, 16);
        case by_realloc:
            return born(entry, realloc(NULL, size), size, 16);
        case by_reallocarray:
            return born(entry, reallocarray(NULL, 5, size), 5 * size, 16);
        case by_posix_memalign:
            expect(posix_memalign(&at, 256, size) == 0);
            return born(entry, at, size, 256);
        case by_aligned_alloc:
            return born(entry, aligned_alloc(128, size), size, 128);
        case by_memalign:
            return born(entry, memalign(512, size), size, 512);
        case by_valloc:
            return born(entry, valloc(size), size, 4096);
        default:
            return born(entry, pvalloc(size), size, 4096);
    }
}

static void let_go(struct block b) {
    account_gone(&account, b.size);
    errno = marked_errno;
    free(b.at);
    expect(errno == marked_errno);
}

static struct block resize(struct block b, size_t size, enum entry entry) {
    errno = marked_errno;
    void* at = entry == by_realloc ? realloc(b.at, size) : reallocarray(b.at, size, 1);
    expect(at != NULL && errno == marked_errno);
    size_t kept = size < b.size ? size : b.size;
    for (size_t i = 0; i < kept; i++) {
        expect(((unsigned char*)at)[i] == (b.size & 0xFF));
    }
    account_gone(&account, b.size);
    account_born(&account, entry, size);
    memset(at, (int)(size & 0xFF), size);
    return (struct block){at, size};
}

static void every_entry_point(void) {
    static const size_t sizes[] = {0, 1, 24, 100, 1000, 5000, 200000};
    for (enum entry entry = by_malloc; entry < entry_count; entry++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct block kept = make(entry, sizes[i]);
            struct block released = make(entry, sizes[i]);
            let_go(released);
            if (i % 2 == 0) {
                let_go(kept);
            }
        }
    }
}

static void every_resize(void) {
    struct block b = make(by_malloc, 100);
    b = resize(b, 10, by_realloc);       // shrinks in place
    b = resize(b, 10, by_realloc);       // the same
    b = resize(b, 50000, by_realloc);    // grows
    b = resize(b, 3000000, by_realloc);  // grows into a mapping of its own
    b = resize(b, 6000000, by_realloc);  // mremap
    b = resize(b, 64, by_realloc);       // and back
    b = resize(b, 640, by_reallocarray);
    errno = 0;
    expect(realloc(b.at, too_much) == NULL && errno == ENOMEM);  // the block lives on
    errno = 0;
    expect(reallocarray(b.at, huge_count, 8) == NULL && errno == ENOMEM);
    expect(b.at[0] == (640 & 0xFF));
    account_gone(&account, b.size);
    expect(realloc(b.at, 0) == NULL);  // glibc: released
    struct block grown = make(by_memalign, 100);
    grown = resize(grown, 10000, by_realloc);
    let_go(grown);
    (void)make(by_realloc, 33);  // stays
}

static void every_failure(void) {
    void* untouched = &account;
    errno = 0;
    expect(malloc(too_much) == NULL && errno == ENOMEM);
    errno = 0;
    expect(calloc(huge_count, 4) == NULL && errno == ENOMEM);
    errno = 0;
    expect(realloc(NULL, too_much) == NULL && errno == ENOMEM);
    errno = 0;
    expect(reallocarray(NULL, huge_count, 4) == NULL && errno == ENOMEM);
    errno = marked_errno;
    expect(posix_memalign(&untouched, 3, 100) == EINVAL && untouched == &account && errno == marked_errno);
    expect(posix_memalign(&untouched, 64, too_much) == ENOMEM && untouched == &account);
    expect(aligned_alloc(64, too_much) == NULL);
    expect(memalign(64, too_much) == NULL);
    expect(valloc(too_much) == NULL);
    expect(pvalloc(too_much) == NULL);
    free(NULL);
}

static void sized_frees(void) {
    for (size_t i = 1; i <= many; i++) {
        struct block plain = make(by_malloc, i * 7);
        struct block aligned = make(by_aligned_alloc, i * 128);
        account_gone(&account, plain.size);
        account_gone(&account, aligned.size);
        if (free_sized != NULL) {
            free_sized(plain.at, plain.size);
            free_aligned_sized(aligned.at, 128, aligned.size);
        } else {
            free(plain.at);
            free(aligned.at);
        }
    }
}

int main(int argc, char** argv) {
    if (!asked_for_nothing(argc, argv)) {
        every_entry_point();
        every_resize();
        every_failure();
        sized_frees();
    }
    account_print(&account);
    return account.wrong == 0 ? 0 : 1;
}
