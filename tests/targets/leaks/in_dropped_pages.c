// Pages of a block that the program has given back to the kernel hold nothing any more.
// leaks: definite 100/1, reachable 262144/1
#include <sys/mman.h>

#include "leaks.h"

char* held;

int main(void) {
    held = (char*)aligned_alloc(4096, 262144);
    memset(held, 0, 262144);
    *(void***)(held + 131072 + 64) = make(100);
    madvise(held + 131072, 4096, MADV_DONTNEED);
    forget();
}
