// What nativeheap_attach is told: NAME=VALUE lines with the names of settings.def, or a word; a text that ends with a
// NUL within attach_text_bytes.
#pragma once
#include "native/process/settings.h"

namespace nh::process {

// Whether it is wire::again_text. Null: no.
bool is_again(const char* text);

// False when there is anything but settings in it, or no socket. What *out points to stays until the next call.
bool read_attach_text(const char* text, Settings* out);

}  // namespace nh::process
