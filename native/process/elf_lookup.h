// Finds a function in the libraries that are already loaded, by reading their symbol tables: nothing allocates, locks,
// binds lazily or recurses, and it works before this library has been relocated.
#pragma once
#include <link.h>
#include <stdint.h>

namespace nh::process {

// True once the loader has filled in this library's own addresses. Before that no imported name may be touched.
bool relocated();

// The loader's list of libraries in search order, main program first; null when it cannot be found.
const link_map* loaded_libraries();

bool is_this_library(const link_map* library);

// The default version of a defined function in one library, 0 when it has none (gABI: symbol table; GNU hash section,
// System V hash where there is no other).
uintptr_t find_function(const link_map* library, const char* name);

// What RTLD_NEXT means for a call from this library: the first one after it that has `name`. The libraries loaded at
// program start stand first in the list and in the order of the global scope.
uintptr_t find_next_function(const char* name);

}  // namespace nh::process
