// A local variable of main holds a block while exit runs.
// leaks: reachable 100/1
#include "leaks.h"

int main(void) {
    void** volatile held = make(100);
    forget();
    exit(held == NULL);
}
