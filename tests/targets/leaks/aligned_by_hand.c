// A pointer that the program has rounded up, with the one to be freed in front of it.
// leaks: reachable 256/1
#include <stdint.h>

#include "leaks.h"

void** aligned;

APART static void** align(size_t bytes, size_t alignment) {
    void** block = make(bytes + alignment + 8);
    void** result = (void**)(((uintptr_t)(block + 1) + alignment - 1) & ~(alignment - 1));
    result[-1] = block;
    return result;
}

int main(void) {
    aligned = align(120, 128);
    forget();
}
