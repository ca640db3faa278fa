// Hazard: lines that are inlined, templates, lambdas, recursive or called twice. What each line allocates, with all it
// calls, stands at its end: live bytes at the end, bytes ever, blocks ever, for line_by_line 3.
#include <stdlib.h>

void* kept[100];
int count;

static void keep(void* block) {
    kept[count++] = block;
}

static inline __attribute__((always_inline)) void* inlined(size_t bytes) {
    return malloc(bytes);  //= 0 1000 2
}

template <typename T>
T* made(int n) {
    return static_cast<T*>(calloc(static_cast<size_t>(n), sizeof(T)));  //= 480 480 2
}

// Each level allocates one block; a stack with five of its frames counts once for its line.
static void recursive(int levels) {
    if (levels == 0)
        return;
    keep(malloc(64));       //= 320 320 5
    recursive(levels - 1);  //= 256 256 4
}

static void twice(size_t bytes) {
    keep(malloc(bytes));  //= 300 300 2
}

int main(int, char** arguments) {
    int rounds = atoi(arguments[1]);
    for (int i = 0; i < rounds; i++) {
        void* block = malloc(100);  //= 200 300 3
        if (i == 0)
            free(block);
        else
            keep(block);
    }
    void* first = inlined(400);  //= 0 400 1
    free(first);
    void* second = inlined(600);  //= 0 600 1
    free(second);
    keep(made<int>(20));                                      //= 80 80 1
    keep(made<double>(50));                                   //= 400 400 1
    auto lambda = [](size_t bytes) { keep(malloc(bytes)); };  //= 77 77 1
    lambda(77);                                               //= 77 77 1
    recursive(5);                                             //= 320 320 5
    twice(100);                                               //= 100 100 1
    twice(200);                                               //= 200 200 1
    keep(realloc(malloc(50), 500));                           //= 500 550 2
    return 0;
}
