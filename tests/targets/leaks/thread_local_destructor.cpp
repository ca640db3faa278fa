// Thread-local objects: main's frees its block when main's thread ends in exit, the other's when its thread has ended.
// libc notes main's destructor in a block of 32 bytes.
// leaks: reachable 132/2
// leaks (strict):
#include <thread>

#include "leaks.h"

struct Holder {
    void** block = make(100);
    ~Holder() { free(block); }
};

thread_local Holder held;

APART static void use() {
    held.block[0] = nullptr;
}

int main() {
    std::thread(use).join();
    use();
    forget();
}
