// The modules that appear in stacks: remembered in this process, told to the collector by the shared module table.
#pragma once
#include <stdint.h>

#include "native/unwind/elf_image.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

enum class ModuleKnown : uint8_t {
    none,        // no module is mapped there
    passing,     // described, but not remembered (another thread is at it): ask again next time
    remembered,  // rows compiled from it may be kept
};

// Maps the private list. Call once; false when there is no memory.
bool open_modules(const ModuleTable& table);

// Forgets every module, so that each is told anew in that table when it is next met. False: not possible now.
bool retell_modules(const ModuleTable& table);

// Describes the module at the address, remembering it and appending it to the shared table when it is new.
// When it took the place of another one, rows are forgotten and the generation grows.
ModuleKnown find_module(uintptr_t address, ElfImage* image);

void modules_after_fork(uint32_t slot);

}  // namespace nh::unwind
