// A pointer kept as its complement, as in a list with xor links, is none that a checker could know.
// leaks: definite 100/1
#include <stdint.h>

#include "leaks.h"

uintptr_t hidden;

int main(void) {
    hidden = ~(uintptr_t)make(100);
    forget();
}
