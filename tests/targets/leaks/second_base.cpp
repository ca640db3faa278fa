// A pointer to the second base of an object leads into its midst.
// leaks: reachable 32/1
#include "leaks.h"

struct First {
    virtual ~First() = default;
    long first = 1;
};
struct Second {
    virtual ~Second() = default;
    long second = 2;
};
struct Both : First, Second {};

Second* held;

int main() {
    held = new Both;
    forget();
}
