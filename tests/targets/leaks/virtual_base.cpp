// A pointer to a virtual base.
// leaks: reachable 40/1
#include "leaks.h"

struct Base {
    virtual ~Base() = default;
    long base = 1;
};
struct Left : virtual Base {
    long left = 2;
};
struct Right : virtual Base {};
struct Both : Left, Right {};

Base* held;

int main() {
    held = new Both;
    forget();
}
