// One past the end of a block, as of a vector that is filled from the back.
// leaks: reachable 104/1
#include "leaks.h"

void** end;

int main(void) {
    end = make(104) + 13;
    forget();
}
