// A tag in the highest byte makes it no address at all.
// leaks: definite 100/1
#include <stdint.h>

#include "leaks.h"

uintptr_t tagged;

int main(void) {
    tagged = (uintptr_t)make(100) | (uintptr_t)0xAB << 56;
    forget();
}
