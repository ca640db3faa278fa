// A std::map that is lost: its nodes know their parents, and the uppermost the map itself.
// leaks: definite 48/1, indirect 480/10, ring 11
#include <map>

#include "leaks.h"

APART static void fill() {
    auto map = new std::map<long, long>;
    for (long i = 0; i < 10; i++)
        (*map)[i] = i;
}

int main() {
    fill();
    forget();
}
