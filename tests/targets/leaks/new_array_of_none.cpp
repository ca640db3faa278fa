// An array without elements is a number, and the pointer behind it leads past the block's end.
// leaks: reachable 8/1
#include "leaks.h"

struct Element {
    ~Element() { value = 0; }
    long value = 1;
};

Element* held;

int main(int count, char**) {
    held = new Element[static_cast<size_t>(count - 1)];
    forget();
}
