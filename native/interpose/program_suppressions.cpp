#include "native/interpose/program_suppressions.h"

#include <string.h>

#include "native/interpose/hook.h"
#include "native/process/check.h"
#include "native/process/elf_lookup.h"
#include "native/process/errno_scope.h"
#include "native/process/program_symbol.h"

namespace nh::interpose {
namespace {

constexpr const char* name = "__lsan_default_suppressions";

using Suppressions = const char*();

Suppressions* suppressions;

uintptr_t find() {
    uintptr_t found = process::find_program_function(name);
    for (const link_map* library = process::loaded_libraries(); library != nullptr && found == 0;
         library = library->l_next) {
        found = process::is_this_library(library) ? 0 : process::find_function(library, name);
    }
    return found;
}

}  // namespace

bool has_suppressions() {
    if (process::checks(wire::check_reason::asked)) {
        suppressions = reinterpret_cast<Suppressions*>(find());
    }
    return suppressions != nullptr;
}

// What the function allocates is the program's, and recorded as such; only then is this a hook.
void tell_suppressions() {
    process::ErrnoScope keep;
    const char* text = suppressions();
    const size_t length = text == nullptr ? 0 : strnlen(text, wire::most_suppression_bytes + 1);
    Hook hook(unwind::caller_registers());
    for (size_t done = 0; hook && done < length;) {
        wire::suppressions_event part = {};
        const size_t bytes = length - done < sizeof(part.text) ? length - done : sizeof(part.text);
        part.head = transport::event_head(wire::event_kind::suppressions, bytes);
        memcpy(part.text, text + done, bytes);
        hook.record([&] { return part; });
        done += bytes;
    }
}

}  // namespace nh::interpose
