// Memory of an allocator that the program brings along and that takes its memory by mmap.
// leaks: reachable 300/3
#include <sys/mman.h>

#include "leaks.h"

APART static void* bump(size_t bytes) {
    static char *at, *end;
    if (bytes > (size_t)(end - at)) {
        at = (char*)mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        end = at + (1 << 20);
    }
    at += bytes;
    return at - bytes;
}

int main(void) {
    for (int i = 0; i < 3; i++) {
        bump(70 * 1000);
        *(void***)bump(8) = make(100);
        bump(8 * 500);
    }
    forget();
}
