// A mapping with an inaccessible page in its midst, and the pointer behind it.
// leaks: definite 50/1, reachable 100/1
#include <sys/mman.h>

#include "leaks.h"

APART static int fill(void) {
    char* memory = (char*)mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(void***)(memory + 0x8000) = make(100);
    return mprotect(memory + 0x2000, 4096, PROT_NONE);
}

int main(void) {
    mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int status = fill();
    lose(50);
    forget();
    return status;
}
