// Hazard: a program without a dynamic linker ignores a preload; it must be refused before it starts. With an argument
// it waits for the end of its standard input.
#include <stdio.h>

int main(int argc, char** argv) {
    (void)argv;
    puts("the static program ran");
    while (argc > 1 && getchar() != EOF) {
    }
    return 0;
}
