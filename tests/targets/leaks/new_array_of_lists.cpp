// What the elements of such an array hold is held, too.
// leaks: reachable 488/11
#include "leaks.h"

struct Element {
    ~Element() { delete block; }
    long* block = new long[5];
};

Element* held;

int main() {
    held = new Element[10];
    forget();
}
