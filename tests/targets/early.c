// Hazard: allocations before anything is ready (early_library.c), freed later by the program.
#include <stdlib.h>

int early_answer(void);
void* early_block(void);

int main(void) {
    int answer = early_answer();
    free(early_block());
    free(malloc(1));
    return answer == 42 ? 0 : 1;
}
