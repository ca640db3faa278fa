// The region's first page a second time, over static memory: what the collector says is known without a pointer, and
// before there is a region.
#pragma once
#include <stdint.h>

#include "native/wire/wire.h"

namespace nh::transport {

constexpr uint64_t shown_bytes = 4096;

union alignas(shown_bytes) ShownPage {
    uint8_t bytes[shown_bytes];
    wire::region header;
};

// Zeros, which may be written to, while nothing is shown. Read-only while a region's page is.
extern ShownPage shown_page __attribute__((visibility("hidden")));

// Shows the first page of that memory from now on. Threads may read meanwhile: they see the old one or the new one.
bool show_page(int descriptor);

// Shows zeros.
void hide_page();

}  // namespace nh::transport
