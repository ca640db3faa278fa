// The program keeps the length of a block in its first 8 bytes, and a pointer behind it.
// leaks: reachable 108/1
#include <stdint.h>

#include "leaks.h"

uint64_t* data;

int main(void) {
    data = (uint64_t*)make(108);
    *data++ = 100;
    forget();
}
