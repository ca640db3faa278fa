// A large freed block between others goes to the bins; the one at the end becomes the top.
// leaks: definite 200/2, reachable 8/1
#include "leaks.h"

void** between;

int main(void) {
    void** freed = make(20000);
    freed[1000] = make(100);
    between = make(8);
    void** last = make(30000);
    last[2000] = freed[1000];
    freed[1500] = make(100);
    free(freed);
    free(last);
    forget();
}
