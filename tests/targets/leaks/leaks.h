// What the programs of this folder share. Each has one hazard for a leak checker, and says in its head what is right:
//
//   // leaks: definite 100/1, indirect 50/1, possible 0/0, reachable 10/1     (bytes/blocks; those left out are 0)
//   // leaks (strict): ...       after exit handlers and destructors, where that differs
//   // leaks of child: ...       of a process that it forks
//
// definite, indirect and possible are those of the whole process; reachable counts what the program and its own
// libraries allocated, be it by a function of libc: not what the loader and the C++ runtime keep for themselves. "*"
// stands for what the C library decides on; "ring 3" says that the leak is a ring of three blocks. An "exit: N" line
// gives the exit code where it is not 0, 128 + signal.
#ifndef NATIVEHEAP_TESTS_TARGETS_LEAKS_LEAKS_H_
#define NATIVEHEAP_TESTS_TARGETS_LEAKS_LEAKS_H_

#include <stdlib.h>
#include <string.h>

// Neither inlined nor looked into: what it leaves in registers and on the stack does not depend on the optimizer.
#define APART __attribute__((noipa, unused))

// A block without left-overs.
APART static void** make(size_t bytes) {
    void** block = (void**)malloc(bytes);
    memset(block, 0, bytes);
    return block;
}

APART static void lose(size_t bytes) {
    make(bytes);
}

// Overwrites what calls have left in dead stack and in registers that they do not preserve.
APART static void forget(void) {
    char dead[16384];
    memset(dead, 0, sizeof dead);
    __asm__ volatile("" : : "r"(dead) : "memory");
    __asm__ volatile(
        "xor %%eax, %%eax\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n xor %%edi, %%edi\n"
        "xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n"
        "pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n pxor %%xmm3, %%xmm3\n"
        :
        :
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

#endif  // NATIVEHEAP_TESTS_TARGETS_LEAKS_LEAKS_H_
