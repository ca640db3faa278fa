// What other allocators offer beyond C's functions: jemalloc's mallocx, tcmalloc's tc_malloc, mimalloc's mi_malloc and
// their like, and C++'s operators where an allocator brings its own. Nothing of it is exported: a program that asks
// whether mallocx is there must be told the truth.
#pragma once
#include <stdint.h>

#include "native/interpose/real.h"

namespace nh::interpose {

constexpr uint32_t most_extensions = 112;

// Those that the libraries of this process have; returns how many. What was found once stays.
uint32_t list_extensions(Detour (&detours)[most_extensions]);

}  // namespace nh::interpose
