// A null pointer.
// leaks: definite 100/1, reachable 10/1
// exit: 139
#include "leaks.h"

void** held;
void* volatile* volatile nowhere;

int main(void) {
    lose(100);
    held = make(10);
    forget();
    return *nowhere != NULL;
}
