// Before glibc 2.35: objects by the list that the loader keeps for debuggers, copied so that it is walked seldom.
#pragma once
#include <stdint.h>

#include "native/unwind/loader_view.h"

struct r_debug;

namespace nh::unwind {

// The object at the address, by the copy; the list is walked again when something was appended to it. An object that
// was unloaded stays in the copy until forget_object_list().
bool find_in_object_list(const r_debug& loader, uintptr_t address, LoadedObject* object);

// Where the object's ELF header is mapped. Only the main program, the list's first, may have it elsewhere than at its
// bias.
uintptr_t header_of(const r_debug& loader, const link_map& map);

// Something may have been unloaded.
void forget_object_list();

void object_list_after_fork();

}  // namespace nh::unwind
