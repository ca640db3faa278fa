// std::terminate.
// leaks: definite 100/1, reachable */2
// exit: 134
#include <cstdio>
#include <stdexcept>
#include <string>

#include "leaks.h"

int main() {
    lose(100);
    forget();
    fclose(stderr);
    throw std::runtime_error(std::string(100, 'x'));
}
