// A pointer in memory that was made read-only after the program had filled it, as security-minded programs do.
// leaks: reachable 100/1
#include <sys/mman.h>

#include "leaks.h"

__attribute__((aligned(4096))) void** held[512] = {NULL};
void** after = NULL;

int main(void) {
    held[3] = make(100);
    forget();
    return mprotect(held, sizeof held, PROT_READ);
}
