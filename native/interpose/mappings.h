// mmap, munmap and mremap, where they are to be recorded (NATIVEHEAP_MMAP). None of them is exported: late_hooks.cpp
// directs calls here, and only where somebody asks for it.
#pragma once
#include <stdint.h>

#include "native/interpose/real.h"

namespace nh::interpose {

constexpr uint32_t most_mapping_detours = 4;

// Whether this session records them.
bool records_mappings();

// Those that this process has, most_mapping_detours at most; returns how many. Before any of them is directed.
uint32_t list_mapping_detours(Detour* detours);

}  // namespace nh::interpose
