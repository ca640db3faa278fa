// Two objects that own each other, each in one block with its counts.
// leaks: definite 32/1, indirect 32/1, ring 2
#include <memory>

#include "leaks.h"

struct Node {
    std::shared_ptr<Node> other;
};

APART static void link_up() {
    auto one = std::make_shared<Node>();
    one->other = std::make_shared<Node>();
    one->other->other = one;
}

int main() {
    link_up();
    forget();
}
