// release() gives up the pointer, and nobody takes it.
// leaks: definite 104/1, indirect 99/1
#include <memory>
#include <vector>

#include "leaks.h"

struct Node {
    std::vector<char> content = std::vector<char>(99);
    char more[80] = {};
};

APART static void release() {
    auto node = std::make_unique<Node>();
    __asm__ volatile("" : : "r"(node.release()) : "memory");
}

int main() {
    release();
    forget();
}
