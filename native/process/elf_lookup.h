// Finds a function in the libraries that are already loaded, by reading their symbol tables: nothing allocates, locks,
// binds lazily or recurses, and it works before this library has been relocated.
#pragma once
#include <link.h>
#include <stdint.h>

namespace nh::process {

// True once the loader has filled in this library's own addresses. Before that no imported name may be touched.
bool relocated();

// Whether the C library is glibc; the other one that the shim is used with is musl.
bool is_glibc();

// The loader's list of libraries in search order, main program first; null when it cannot be found.
const link_map* loaded_libraries();

// Whether the loader has done its part for all of them, at start or in dlopen, and waits for nothing: their words are
// filled in and protected. Where the loader does not say (musl), once it has come by here.
bool all_are_ready();

bool is_this_library(const link_map* library);

// The default version of a defined function in one library, 0 when it has none (gABI: symbol table; GNU hash section,
// System V hash where there is no other).
uintptr_t find_function(const link_map* library, const char* name);

// Data that a library defines by that name, the one that the program means: the first in search order. Null when there
// is none.
const char* find_variable(const char* name);

// Every defined function of that name in one library, of whatever version: up to `most` of their symbols. Returns how
// many.
uint32_t find_symbols(const link_map* library, const char* name, const ElfW(Sym) * *symbols, uint32_t most);

// Whether this library was there when the program was started (LD_PRELOAD), and so comes before libc. Else the program,
// or somebody in it, has loaded it later, and nobody calls it by the name of an allocation function.
bool came_with_program();

// What RTLD_NEXT means for a call from this library: the first one after it that has `name`. The libraries loaded at
// program start stand first in the list and in the order of the global scope. When this library came later: the first
// of all.
uintptr_t find_next_function(const char* name);

}  // namespace nh::process
