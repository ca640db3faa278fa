// Uses LeakSanitizer's interface as its header declares it, and ours; runs without either. Prints what it was told:
// whether somebody records, then the results of its checks, in the order of the code.
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "native/include/nativeheap.h"

#pragma weak __lsan_disable
#pragma weak __lsan_enable
#pragma weak __lsan_ignore_object
#pragma weak __lsan_register_root_region
#pragma weak __lsan_unregister_root_region
#pragma weak __lsan_do_leak_check
#pragma weak __lsan_do_recoverable_leak_check

// What calls have left on the stack.
__attribute__((noinline)) static void overwrite(void) {
    volatile char dead[16384];
    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = 0;
}

__attribute__((noinline)) static void* make(size_t bytes) {
    return calloc(1, bytes);
}

__attribute__((noinline)) static void lose(size_t bytes) {
    make(bytes);
}

__attribute__((noinline)) static void lose_chain(size_t bytes) {
    void* volatile* block = make(bytes);
    block[0] = make(bytes);
}

static void check(const char* what, int since_last) {
    struct nativeheap_leaks leaks;
    overwrite();
    int result = nativeheap_find_leaks(since_last, &leaks);
    printf("%s %d %lu %lu\n", what, result, (unsigned long)(leaks.definite_bytes + leaks.indirect_bytes),
           (unsigned long)(leaks.definite_blocks + leaks.indirect_blocks));
}

// Disabled twice, enabled once: still disabled. Another block each is ignored by itself, and held by a root region.
__attribute__((noinline)) static void lose_ignored(void* volatile* region) {
    __lsan_disable();
    __lsan_disable();
    __lsan_enable();
    lose_chain(1000);
    __lsan_enable();
    void* volatile* block = make(2000);
    block[1] = make(2000);
    __lsan_ignore_object((void*)block);
    region[0] = make(3000);
}

// The only pointer is in a register that calls preserve.
__attribute__((noinline)) static void hold_in_register(void) {
    register void* held asm("r15") = make(500);
    asm volatile("" : "+r"(held));
    check("register", 1);
    asm volatile("" : "+r"(held));
    free(held);
}

int main(int count, char** arguments) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("active %d\n", nativeheap_active());
    check("nothing", 0);
    lose(100);
    check("lost", 0);
    check("again", 1);
    hold_in_register();
    {
        // Shared, and read-only when it is looked at: no root by itself.
        void* volatile* region = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (__lsan_disable != NULL) {
            lose_ignored(region);
            mprotect((void*)region, 4096, PROT_READ);
            __lsan_register_root_region((void*)region, 4096);
            check("ignored", 1);
            __lsan_unregister_root_region((void*)region, 4096);
            check("unregistered", 1);
        }
    }
    int stopped = nativeheap_stop();
    char* unseen = make(5000);
    int started = nativeheap_start();
    char* seen = make(7000);
    printf("stop %d start %d\n", stopped, started);
    int first = nativeheap_mark("here");
    free(unseen);
    free(seen);
    printf("mark %d %d\n", first, nativeheap_mark("here"));
    if (__lsan_do_recoverable_leak_check != NULL)
        printf("recoverable %d\n", __lsan_do_recoverable_leak_check());
    if (count > 1 && strcmp(arguments[1], "end") == 0 && __lsan_do_leak_check != NULL)
        __lsan_do_leak_check();
    printf("end\n");
    return 4;
}
