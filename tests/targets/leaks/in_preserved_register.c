// A register that calls preserve holds the only pointer when exit is called.
// leaks: definite 50/1, reachable 100/1
#include "leaks.h"

int main(void) {
    lose(50);
    register void** held __asm__("r12") = make(100);
    __asm__ volatile("" : "+r"(held));
    forget();
    __asm__ volatile("xor %%edi, %%edi\n call exit@plt\n" : : "r"(held) : "rdi", "memory");
    __builtin_unreachable();
}
