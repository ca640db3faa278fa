// A static object of a function that has none to destroy it: the usual singleton.
// leaks: reachable 100/1
#include "leaks.h"

APART static void** instance() {
    static void** const block = make(100);
    return block;
}

int main() {
    bool ok = instance() == instance();
    forget();
    return !ok;
}
