// Memory that a program has named as holding pointers; whoever looks for leaks from outside reads the list.
#pragma once
#include <stddef.h>

namespace nh::process {

// Neither counts twice. Any thread.
void add_root_region(const void* start, size_t bytes);
void remove_root_region(const void* start, size_t bytes);

}  // namespace nh::process
