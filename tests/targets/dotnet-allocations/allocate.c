// The native half of dotnet-allocations: what is asked for is allocated, nothing else.
#include <stdlib.h>

void* give(size_t bytes) {
    return malloc(bytes);
}
