// The block of a realloc that fails is overwritten with its NULL.
// leaks: definite 100/1
#include <stdint.h>

#include "leaks.h"

void** block;

int main(void) {
    block = make(100);
    block = (void**)realloc(block, PTRDIFF_MAX);
    forget();
    return block != NULL;
}
