// A global object frees its block when it is destroyed.
// leaks: definite 50/1, reachable 100/1
// leaks (strict): definite 50/1
#include "leaks.h"

struct Holder {
    void** block = make(100);
    ~Holder() { free(block); }
} held;

int main() {
    lose(50);
    forget();
}
