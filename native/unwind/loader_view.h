// What the dynamic loader shows to a reader that must not take its lock.
#pragma once
#include <stdint.h>

#include "native/unwind/elf_image.h"

struct link_map;

namespace nh::unwind {

struct LoadedObject {
    ImagePlace place;
    const link_map* map;  // valid while the object is loaded
};

// Finds the loader's list and, where it has one (glibc 2.35), its lock-free look-up. Call once. False when the
// loader cannot be understood: then no object is ever found.
bool open_loader_view();

// The object mapped at the address. May be asked from anywhere, also inside dlopen and in signal handlers.
bool find_object(uintptr_t address, LoadedObject* object);

// Its map alone, which is not looked into; null when nothing is mapped there.
const link_map* find_map(uintptr_t address);

// A symbol that the loaded object defines, by the loader's own tables; 0 when it does not.
uintptr_t find_symbol(const link_map* map, const char* name);

// Whether the loader's lock-free look-up was found.
bool has_lock_free_look_up();

// For tests: pretend that the loader has no lock-free look-up, as before glibc 2.35.
void use_link_map_only(bool only);

}  // namespace nh::unwind
