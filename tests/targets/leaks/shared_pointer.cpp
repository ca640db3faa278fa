// A shared pointer in a global variable: to the counts by their start, to the object by an address in their midst.
// leaks: reachable 32/1
// leaks (strict):
#include <memory>

#include "leaks.h"

struct Node {
    std::shared_ptr<Node> other;
};

std::shared_ptr<Node> held;

int main() {
    held = std::make_shared<Node>();
    forget();
}
