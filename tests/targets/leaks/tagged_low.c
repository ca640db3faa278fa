// A tag in the lowest bit makes it a pointer into the block.
// leaks: possible 100/1
#include <stdint.h>

#include "leaks.h"

uintptr_t tagged;

int main(void) {
    tagged = (uintptr_t)make(100) | 1;
    forget();
}
