// Every form of operator new; libstdc++ rounds the size of the aligned ones up to the alignment.
// leaks: definite 1560/5
#include <new>

#include "leaks.h"

APART static void allocate() {
    memset(::operator new(100), 0, 100);
    memset(::operator new[](200), 0, 200);
    memset(::operator new(300, std::nothrow), 0, 300);
    memset(::operator new(400, std::align_val_t(64)), 0, 400);
    memset(::operator new[](500, std::align_val_t(64), std::nothrow), 0, 500);
}

int main() {
    allocate();
    forget();
}
