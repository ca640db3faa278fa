// Finds a function that the program itself defines, also one that it does not show to libraries.
#pragma once
#include <stdint.h>

namespace nh::process {

// By the symbol table that the linker leaves in the program's file; 0 when there is no such function, or the table was
// stripped. Opens and maps the file: only while the program starts.
uintptr_t find_program_function(const char* name);

}  // namespace nh::process
