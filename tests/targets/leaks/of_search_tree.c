// glibc's tsearch keeps the colour of a node in the lowest bit of its left pointer: what hangs off a red node's left
// side, here 20 and with it 10, is held by a pointer into it.
// leaks: possible 48/2, reachable 120/5
#include <search.h>

#include "leaks.h"

void* root;
long keys[7] = {50, 30, 70, 20, 40, 60, 10};

APART static int compare(const void* one, const void* other) {
    return (*(const long*)one > *(const long*)other) - (*(const long*)one < *(const long*)other);
}

int main(void) {
    for (int i = 0; i < 7; i++)
        tsearch(&keys[i], &root, compare);
    forget();
}
