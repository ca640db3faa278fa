// Every function that aligns.
// leaks: definite 1500/5
#include <malloc.h>

#include "leaks.h"

APART static int align(void) {
    void* block;
    memset(memalign(64, 100), 0, 100);
    memset(aligned_alloc(256, 200), 0, 200);
    memset(valloc(300), 0, 300);
    memset(pvalloc(400), 0, 400);
    int status = posix_memalign(&block, 4096, 500);
    memset(block, 0, 500);
    return status;
}

int main(void) {
    int status = align();
    forget();
    return status;
}
