// A global variable holds a block.
// leaks: reachable 100/1
#include "leaks.h"

void** held;

int main(void) {
    held = make(100);
    forget();
}
