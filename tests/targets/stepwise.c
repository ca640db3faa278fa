// Hazard: recording that is paused, or begins, between two calls that belong together. Each byte of standard input is a
// step; the file that is named gets one byte for each that is done. The steps:
//   a  100 blocks of 1,000 bytes, kept
//   b  40 of these are freed, 10 grow to 2,000 bytes; 50 blocks of 500 bytes, of which 10 are freed
//   c  20 of the 40 others of 500 bytes are freed; 30 blocks of 100 bytes, kept
// Input and output without stdio, which would allocate.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void* first[100];
static void* second[50];
static void* third[30];

__attribute__((noinline)) static void step_a(void) {
    for (int i = 0; i < 100; i++) {
        first[i] = malloc(1000);
    }
}

__attribute__((noinline)) static void step_b(void) {
    for (int i = 0; i < 40; i++) {
        free(first[i]);
    }
    for (int i = 40; i < 50; i++) {
        first[i] = realloc(first[i], 2000);
    }
    for (int i = 0; i < 50; i++) {
        second[i] = malloc(500);
    }
    for (int i = 0; i < 10; i++) {
        free(second[i]);
    }
}

__attribute__((noinline)) static void step_c(void) {
    for (int i = 10; i < 30; i++) {
        free(second[i]);
    }
    for (int i = 0; i < 30; i++) {
        third[i] = malloc(100);
    }
}

int main(int argc, char** argv) {
    int done = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (done < 0) {
        return 2;
    }
    char step;
    while (read(0, &step, 1) == 1) {
        switch (step) {
            case 'a':
                step_a();
                break;
            case 'b':
                step_b();
                break;
            case 'c':
                step_c();
                break;
            default:
                return 3;
        }
        if (write(done, &step, 1) != 1) {
            return 4;
        }
    }
    return 0;
}
