// Hazard: a target that writes nonsense into what it shares with the collector. scribble SEED ROUNDS: between calls of
// malloc, random words go to random places of the shared region, most of them near its start, where the counts and
// offsets are. What becomes of the program itself does not matter.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int main(int argc, char** argv) {
    state = argc > 1 ? strtoull(argv[1], NULL, 10) * 2 + 1 : 1;
    int rounds = argc > 2 ? atoi(argv[2]) : 1000;
    uint64_t start = 0;
    uint64_t end = 0;
    char line[1024];
    FILE* maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, "/memfd:nativeheap") != NULL) {
            sscanf(line, "%lx-%lx", &start, &end);
            break;
        }
    }
    if (end == 0) {
        return 3;
    }
    for (int i = 0; i < rounds; i++) {
        uint64_t words = (end - start) / 8;
        uint64_t place = next_random() % (next_random() % 4 == 0 ? words : 65536);
        uint64_t value = next_random();
        static const uint64_t interesting[] = {
            0, 1, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x0400000000001000};
        if (next_random() % 2 == 0) {
            value = interesting[next_random() % 6];
        }
        ((volatile uint64_t*)start)[place] = value;
        free(malloc(next_random() % 100));
    }
    return 0;
}
