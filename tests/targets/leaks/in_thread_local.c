// A thread-local variable of main.
// leaks: reachable 100/1
#include "leaks.h"

_Thread_local void** held;

int main(void) {
    held = make(100);
    forget();
}
