#include "native/transport/fork_page.h"

#include <sys/mman.h>

#include "native/transport/kernel.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

namespace nh::transport {

constinit ForkPage fork_page = {};

bool wipe_fork_page_on_fork() {
    return kernel::madvise(&fork_page, sizeof(fork_page), MADV_WIPEONFORK) == 0;
}

}  // namespace nh::transport
