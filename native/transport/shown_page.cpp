#include "native/transport/shown_page.h"

#include <sys/mman.h>

#include "native/transport/kernel.h"

namespace nh::transport {

constinit ShownPage shown_page = {};

namespace {

bool is_shown;

}  // namespace

bool show_page(int descriptor) {
    is_shown =
        !kernel::is_error(kernel::mmap(&shown_page, sizeof(shown_page), PROT_READ, MAP_SHARED | MAP_FIXED, descriptor));
    return is_shown;
}

void hide_page() {
    if (!is_shown) {
        __atomic_store_n(&shown_page.header.sampling, 0, __ATOMIC_RELEASE);  // of a process that nobody else directs
        return;
    }
    is_shown = kernel::is_error(kernel::mmap(&shown_page, sizeof(shown_page), PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1));
}

}  // namespace nh::transport
