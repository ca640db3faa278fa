// A std::function holds what its lambda has captured; one is lost with it.
// leaks: definite 32/1, indirect 156/3, reachable 156/3
// leaks (strict): definite 32/1, indirect 156/3
#include <functional>
#include <memory>

#include "leaks.h"

std::function<int()> held;

APART static std::function<int()> capture() {
    return [block = std::shared_ptr<void*>(make(100), free), more = 1L] { return block == nullptr ? 1 : int(more); };
}

APART static void lose_one() {
    new std::function<int()>(capture());
}

int main() {
    held = capture();
    lose_one();
    forget();
}
