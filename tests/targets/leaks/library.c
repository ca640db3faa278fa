// The library of the programs that load one.
#include "leaks.h"

_Thread_local void** kept_in_thread;
static void** kept_in_data;

void keep_in_thread(void** block);
void allocate_in_data(size_t bytes);

void keep_in_thread(void** block) {
    kept_in_thread = block;
}

void allocate_in_data(size_t bytes) {
    free(kept_in_data);
    kept_in_data = make(bytes);
}
