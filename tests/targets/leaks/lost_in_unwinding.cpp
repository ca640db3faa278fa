// An exception passes by a function that would have freed its block.
// leaks: definite 100/1
#include <stdexcept>

#include "leaks.h"

APART static void fail(void** block) {
    if (block != nullptr)
        throw 7;
}

APART static void forget_to_free() {
    void** block = make(100);
    fail(block);
    free(block);
}

int main() {
    try {
        forget_to_free();
    } catch (int) {
        forget();
    }
}
