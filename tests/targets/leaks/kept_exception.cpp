// A std::exception_ptr is a pointer into the block of an exception.
// leaks: reachable */2
// leaks (strict):
#include <exception>
#include <stdexcept>
#include <string>

#include "leaks.h"

std::exception_ptr held;

APART static void fail() {
    throw std::runtime_error(std::string(100, 'x'));
}

APART static void keep() {
    try {
        fail();
    } catch (...) {
        held = std::current_exception();
    }
}

int main() {
    keep();
    forget();
}
