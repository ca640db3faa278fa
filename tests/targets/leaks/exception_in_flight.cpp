// The program ends where it has caught an exception: the C++ runtime holds it by a pointer into its block.
// leaks: reachable */2
// exit: 2
#include <stdexcept>
#include <string>

#include "leaks.h"

APART static void fail() {
    throw std::runtime_error(std::string(100, 'x'));
}

int main() {
    try {
        fail();
    } catch (const std::runtime_error& error) {
        forget();
        exit(error.what() == nullptr ? 0 : 2);
    }
}
