// delete[] needs the number of elements: it stands before them, and the program keeps a pointer behind it.
// leaks: reachable 88/1
#include "leaks.h"

struct Element {
    ~Element() { value = 0; }
    long value = 1;
};

Element* held;

int main() {
    held = new Element[10];
    forget();
}
