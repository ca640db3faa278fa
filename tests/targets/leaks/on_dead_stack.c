// Calls that have returned have left pointers below the stack pointer.
// leaks: definite 300/3
#include "leaks.h"

APART static void dive(int depth) {
    char space[512];
    void** volatile block = make(100);
    memset(space, depth, sizeof space);
    if (depth > 0)
        dive(depth - 1);
    __asm__ volatile("" : : "r"(space), "r"(block) : "memory");
}

int main(void) {
    dive(2);
}
