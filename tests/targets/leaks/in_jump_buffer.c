// setjmp has saved the register that holds the only pointer.
// leaks: reachable 100/1
#include <setjmp.h>

#include "leaks.h"

jmp_buf saved;

APART static void save(void) {
    __asm__ volatile(
        "push %%r12\n push %%r12\n mov %0, %%r12\n lea saved(%%rip), %%rdi\n call _setjmp@plt\n"
        "pop %%r12\n pop %%r12\n"
        :
        : "r"(make(100))
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
}

int main(void) {
    save();
    forget();
}
