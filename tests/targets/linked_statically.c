// Hazard: a program without a dynamic linker ignores a preload; it must be refused before it starts.
#include <stdio.h>

int main(void) {
    puts("the static program ran");
    return 0;
}
