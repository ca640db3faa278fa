// A freed block that malloc keeps in its thread's cache still has a pointer.
// leaks: definite 100/1
#include "leaks.h"

int main(void) {
    void** freed = make(200);
    freed[10] = make(100);
    free(freed);
    forget();
}
