// Maps anonymous memory in every way, and keeps account: `mappings MAPPINGS BYTES UNMAPPINGS BYTES` is what a recording
// must say of its process, and its exit code is 3 when /proc/self/maps has not grown by the difference.
//
// mappings cases: each way once, each in a function of its own. threads N: N threads map, cut and unmap what any of
// them has mapped. fork: a child maps and unmaps, also what it has inherited; its account stands behind its pid.
// signals N: N handlers of a timer map and unmap, while the program allocates; exact but for what is missed. wait:
// maps, waits for the end of its input, and goes on with its cases. pause: maps and unmaps before, in and after a
// pause. who: tells whose functions it would call. mark: maps, has a snapshot `half` taken, and maps on. churn N: N
// pairs, for taking the time.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/include/nativeheap.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define CASE __attribute__((noinline)) static void

static atomic_long mappings, mapped, unmappings, unmapped;
static long page;

static void born(long pages) {
    mappings++;
    mapped += pages * page;
}

static void over(long pages, int whole) {
    unmappings += whole;
    unmapped += pages * page;
}

static void must(int good) {
    if (!good) {
        perror("mappings");
        _exit(2);
    }
}

#define anonymous(at, pages, protection, flags) \
    mmap(at, (size_t)(pages) * (size_t)page, protection, MAP_PRIVATE | MAP_ANONYMOUS | (flags), -1, 0)
#define usual(pages) anonymous(NULL, pages, PROT_READ | PROT_WRITE, 0)
#define unmap(at, pages) must(munmap(at, (size_t)(pages) * (size_t)page) == 0)
#define remap(at, pages, to, ...) mremap(at, (size_t)(pages) * (size_t)page, (size_t)(to) * (size_t)page, __VA_ARGS__)

// Bytes of memory that is no file's. Without the heap's calls, which would change it.
static long anonymous_bytes(void) {
    static char text[1 << 20];
    int file = open("/proc/self/maps", O_RDONLY);
    long have = 0, got, sum = 0;
    while ((got = read(file, text + have, sizeof text - 1 - (size_t)have)) > 0) {
        have += got;
    }
    close(file);
    text[have] = 0;
    for (char* line = text; *line != 0; line = strchr(line, '\n') + 1) {
        char* rest;
        unsigned long start = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);
        char* name = strpbrk(rest, "/[\n");
        sum += *name == '\n' || strncmp(name, "/dev/zero", 9) == 0 ? (long)(end - start) : 0;
    }
    return sum;
}

CASE map_whole(void) {
    void* at = usual(3);
    must(at != MAP_FAILED);
    born(3);
    unmap(at, 3);
    over(3, 1);
}

CASE map_not_whole_pages(void) {
    must(mmap(NULL, (size_t)page + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    born(2);
}

CASE cut_tail(void) {
    char* at = usual(10);
    born(10);
    unmap(at + 6 * page, 4);
    over(4, 0);
}

CASE cut_head(void) {
    char* at = usual(10);
    born(10);
    unmap(at, 3);
    over(3, 0);
}

CASE cut_hole(void) {
    char* at = usual(10);
    born(10);
    unmap(at + 4 * page, 3);
    over(3, 0);
}

CASE cut_to_nothing(void) {
    char* at = usual(9);
    born(9);
    unmap(at + 3 * page, 3);
    unmap(at, 3);
    unmap(at + 6 * page, 3);
    over(9, 1);
}

CASE unmap_across(void) {
    char* at = anonymous(NULL, 12, PROT_NONE, 0);
    born(12);
    for (int i = 0; i < 3; i++) {
        must(anonymous(at + 4 * i * page, 4, PROT_READ, MAP_FIXED) == at + 4 * i * page);
        born(4);
    }
    over(12, 1);  // the reservation
    unmap(at + 2 * page, 8);
    over(2 + 4 + 2, 1);
}

CASE map_over(void) {
    char* at = usual(8);
    born(8);
    must(anonymous(at + 2 * page, 4, PROT_READ, MAP_FIXED) != MAP_FAILED);
    over(4, 0);
    born(4);
}

CASE map_file_over(void) {
    int file = open("/proc/self/exe", O_RDONLY);
    char* at = usual(8);
    born(8);
    must(mmap(at, (size_t)page, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) != MAP_FAILED);
    over(1, 0);
    close(file);
}

CASE map_file(void) {
    int file = open("/proc/self/exe", O_RDONLY);
    void* at = mmap(NULL, (size_t)page, PROT_READ, MAP_PRIVATE, file, 0);
    void* other = mmap(NULL, (size_t)page, PROT_READ, MAP_PRIVATE, file, 0);
    must(at != MAP_FAILED && other != MAP_FAILED);
    close(file);
    unmap(at, 1);
    must(remap(other, 1, 1, MREMAP_MAYMOVE) != MAP_FAILED);
}

CASE grow(void) {
    void* at = usual(4);
    born(4);
    must(remap(at, 4, 400, MREMAP_MAYMOVE) != MAP_FAILED);
    over(4, 1);
    born(400);
}

CASE shrink(void) {
    void* at = usual(12);
    born(12);
    must(remap(at, 12, 5, 0) == at);
    over(12, 1);
    born(5);
}

CASE move_over(void) {
    void *at = usual(4), *to = usual(6);
    born(4);
    born(6);
    must(remap(at, 4, 5, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    over(4, 1);
    over(5, 0);
    born(5);
}

CASE move_a_part(void) {
    char* at = usual(6);
    born(6);
    must(remap(at + 2 * page, 2, 20, MREMAP_MAYMOVE) != MAP_FAILED);
    over(2, 0);
    born(20);
}

CASE move_and_keep(void) {
    void* at = usual(4);
    born(4);
    void* to = remap(at, 4, 4, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    if (to != MAP_FAILED) {  // since Linux 5.7
        born(4);
    }
}

CASE map_shared(void) {
    void* at = mmap(NULL, 6 * (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(at != MAP_FAILED);
    born(6);
    must(mremap(at, 0, 6 * (size_t)page, MREMAP_MAYMOVE) != MAP_FAILED);  // the same pages once more
    born(6);
}

CASE reserve(void) {
    must(anonymous(NULL, 1 << 18, PROT_NONE, MAP_NORESERVE) != MAP_FAILED);
    born(1 << 18);
}

CASE by_look_up(void) {
    void* (*looked_up)(void*, size_t, int, int, int, off_t);
    *(void**)&looked_up = dlsym(RTLD_DEFAULT, "mmap64");
    must(looked_up(NULL, 7 * (size_t)page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    born(7);
}

CASE fail(void) {
    void* at = usual(2);
    born(2);
    errno = 0;
    must(munmap((char*)at + 1, (size_t)page) == -1 && errno == EINVAL);
    must(munmap(at, 0) == -1 && errno == EINVAL);
    must(mremap((char*)at + 1, (size_t)page, (size_t)page, 0) == MAP_FAILED && errno == EINVAL);
    must(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    errno = 77;
    map_whole();
    must(errno == 77);
}

// Nobody sees it, and a mapping that is seen may come to lie where one was that is not.
CASE unseen(void) {
    char* at = usual(5);
    born(5);
    must(syscall(SYS_munmap, at, 5 * page) == 0);
    must(anonymous(at, 5, PROT_READ, MAP_FIXED) == at);
    over(5, 1);
    born(5);
    void* raw = (void*)syscall(SYS_mmap, NULL, 5 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unmap(raw, 5);
}

static void cases(void) {
    map_whole();
    map_not_whole_pages();
    cut_tail();
    cut_head();
    cut_hole();
    cut_to_nothing();
    unmap_across();
    map_over();
    map_file_over();
    map_file();
    grow();
    shrink();
    move_over();
    move_a_part();
    move_and_keep();
    map_shared();
    reserve();
    by_look_up();
    fail();
    unseen();
}

// ---- threads ----

enum { slots = 64, rounds = 20000, most_pages = 16 };

struct area {
    char* at;
    long pages;
};
static _Atomic(struct area*) shared[slots];

static void end_area(struct area* area, unsigned* seed) {
    long cut = area->pages > 1 ? 1 + rand_r(seed) % (area->pages - 1) : area->pages;
    unmap(area->at + (area->pages - cut) * page, cut);
    over(cut, cut == area->pages);
    if (cut != area->pages) {
        unmap(area->at, area->pages - cut);
        over(area->pages - cut, 1);
    }
    free(area);
}

static void* exchange(void* argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < rounds; i++) {
        struct area* area = malloc(sizeof *area);
        area->pages = 1 + rand_r(&seed) % most_pages;
        area->at = usual(area->pages);
        must(area->at != MAP_FAILED);
        born(area->pages);
        if (i % 8 == 0) {  // stays: were its address's former end told after its birth, it would be missing
            free(area);
            continue;
        }
        if (rand_r(&seed) % 4 == 0) {
            void* moved = remap(area->at, area->pages, area->pages + 3, MREMAP_MAYMOVE);
            must(moved != MAP_FAILED);
            over(area->pages, 1);
            born(area->pages + 3);
            area->at = moved;
            area->pages += 3;
        }
        area = atomic_exchange(&shared[rand_r(&seed) % slots], area);
        if (area != NULL) {
            end_area(area, &seed);
        }
    }
    return NULL;
}

static void threads(int count) {
    pthread_t* all = calloc((size_t)count, sizeof *all);
    for (int i = 0; i < count; i++) {
        must(pthread_create(&all[i], NULL, exchange, (void*)(uintptr_t)(i + 1)) == 0);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(all[i], NULL);
    }
    free(all);
}

// ---- signals ----

static volatile sig_atomic_t handled;

static void on_timer(int number) {
    (void)number;
    int before = errno;
    void* at = usual(2);
    must(at != MAP_FAILED);
    born(2);
    unmap(at, 2);
    over(2, 1);
    handled++;
    errno = before;
}

static void signals(int count) {
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    while (handled < count) {
        void* volatile block = malloc(100);
        free(block);
        map_whole();
    }
    setitimer(ITIMER_REAL, &never, NULL);
}

static void tell(void) {
    printf("mappings %ld %ld %ld %ld\n", mappings, mapped, unmappings, unmapped);
    fflush(stdout);
}

CASE map_in_child(void) {
    must(usual(7) != MAP_FAILED);
    born(7);
}

static void in_child(char* inherited) {
    mappings = mapped = unmappings = unmapped = 0;
    unmap(inherited, 4);  // it is its parent's
    map_in_child();
    map_whole();
    printf("%d ", getpid());
    tell();
}

static void with_child(void) {
    char* at = usual(4);
    born(4);
    pid_t child = fork();
    if (child == 0) {
        in_child(at);
        _exit(0);
    }
    int status;
    must(waitpid(child, &status, 0) == child && status == 0);
}

// What is mapped before an attach is nobody's, and so is what becomes of it. The account is of what comes after.
static void wait_and_go_on(void) {
    char *early = usual(9), *moved = usual(9), byte;
    must(read(0, &byte, 1) == 0);
    mappings = mapped = unmappings = unmapped = 0;
    unmap(early, 4);
    must(anonymous(early + 4 * page, 2, PROT_READ, MAP_FIXED) != MAP_FAILED);
    born(2);
    must(remap(moved, 9, 90, MREMAP_MAYMOVE) != MAP_FAILED);
    cases();
    tell();
    _exit(0);
}

// In a pause nothing is born, and what was born before is seen to end. The kernel's account is not the recording's
// then.
static void pause_and_go_on(void) {
    void* before = usual(4);
    born(4);
    must(nativeheap_stop() == 0);
    void* unseen_one = usual(5);
    unmap(before, 4);
    over(4, 1);
    must(nativeheap_start() == 0);
    unmap(unseen_one, 5);
    map_not_whole_pages();
}

static void tell_whose(void) {
    void* functions[] = {(void*)mmap, (void*)munmap, (void*)mremap, dlsym(RTLD_DEFAULT, "mmap64")};
    for (int i = 0; i < 4; i++) {
        Dl_info about;
        must(dladdr(functions[i], &about) != 0);
        printf("%s\n", strrchr(about.dli_fname, '/') + 1);
    }
}

int main(int count, char** arguments) {
    page = sysconf(_SC_PAGESIZE);
    const char* what = count > 1 ? arguments[1] : "";
    int number = count > 2 ? atoi(arguments[2]) : 0;
    free(malloc(1));
    map_whole();
    long before = anonymous_bytes(), live = mapped - unmapped;
    if (strcmp(what, "cases") == 0) {
        cases();
    } else if (strcmp(what, "wait") == 0) {
        wait_and_go_on();
    } else if (strcmp(what, "mark") == 0) {
        grow();
        must(nativeheap_mark("half") == 0);
        grow();
        map_shared();
    } else if (strcmp(what, "pause") == 0) {
        pause_and_go_on();
    } else if (strcmp(what, "who") == 0) {
        tell_whose();
        return 0;
    } else if (strcmp(what, "threads") == 0) {
        threads(number);
    } else if (strcmp(what, "fork") == 0) {
        with_child();
    } else if (strcmp(what, "signals") == 0) {
        signals(number);
    } else if (strcmp(what, "churn") == 0) {
        for (int i = 0; i < number; i++) {
            map_whole();
        }
    } else {
        return 2;
    }
    long grown = anonymous_bytes() - before;
    tell();
    // Threads leave stacks and arenas of libc's behind.
    if (strcmp(what, "threads") != 0 && grown != mapped - unmapped - live) {
        fprintf(stderr, "mappings: grown by %ld, not %ld\n", grown, mapped - unmapped - live);
        return 3;
    }
    return 0;
}
