// The native half of dotnet-truth: every entry allocates one small block and gives it away, however it is called.
// Built without frame pointers, so that rbp holds data between managed frames.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef void (*managed_call)(int32_t argument);

enum { block_bytes = 24 };

void* truth_block(void) {
    return malloc(block_bytes);
}

// For marshalled calls: reads all it is given, so that the stub has something to convert.
void* truth_block_text(const char* text, int32_t* numbers, int32_t count) {
    size_t sum = strlen(text);
    for (int32_t i = 0; i < count; i++) {
        sum += (uint32_t)numbers[i];
        numbers[i]++;
    }
    void* block = malloc(block_bytes);
    memcpy(block, &sum, sizeof sum);
    return block;
}

void* truth_block_wide(const uint16_t* text) {
    uint16_t first = text[0];
    void* block = malloc(block_bytes);
    memcpy(block, &first, sizeof first);
    return block;
}

// Calls back from `depth` native frames of changing size, with rbp in use as data.
void truth_call(int32_t depth, managed_call call, int32_t argument) {
    if (depth == 0) {
        call(argument);
        __asm__ volatile("" ::: "memory");
        return;
    }
    volatile char room[1 + 16 * (depth % 7)];
    room[0] = (char)depth;
    register uint64_t data __asm__("r12") = (uint64_t)depth * 0x9e3779b97f4a7c15u;
    __asm__ volatile("" : "+r"(data) : : "memory");
    truth_call(depth - 1, call, argument);
    __asm__ volatile("" : : "r"(data), "r"(room[0]) : "memory");
}

struct start {
    managed_call call;
    int32_t argument;
};

static void* thread_main(void* parameter) {
    struct start* start = parameter;
    truth_call(2, start->call, start->argument);
    return NULL;
}

// A thread that the runtime did not start enters managed code; returns when it has ended.
int32_t truth_thread(managed_call call, int32_t argument) {
    struct start start = {call, argument};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, thread_main, &start);
    return error != 0 ? error : pthread_join(thread, NULL);
}

// Calls back and returns the block allocated by the caller's own request in between: native frames on both sides.
void* truth_block_after(managed_call call, int32_t argument) {
    call(argument);
    return malloc(block_bytes);
}
