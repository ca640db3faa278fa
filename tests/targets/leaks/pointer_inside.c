// The only pointer leads into the midst of a block.
// leaks: possible 100/1
#include "leaks.h"

void** inside;

int main(void) {
    inside = make(100) + 2;
    forget();
}
