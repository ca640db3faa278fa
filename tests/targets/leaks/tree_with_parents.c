// Nodes that know their parents; the root is the last one in memory.
// leaks: definite 24/1, indirect 144/6, ring 7
#include "leaks.h"

APART static void** grow(int depth) {
    void** left = depth > 0 ? grow(depth - 1) : NULL;
    void** right = depth > 0 ? grow(depth - 1) : NULL;
    void** node = make(24);
    node[1] = left;
    node[2] = right;
    if (left != NULL)
        left[0] = right[0] = node;
    return node;
}

APART static void lose_tree(void) {
    grow(2);
}

int main(void) {
    lose_tree();
    forget();
}
