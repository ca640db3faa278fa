#include "native/process/preparation.h"

#include "native/process/elf_lookup.h"
#include "native/process/parking.h"
#include "native/process/process.h"
#include "native/process/snapshot_signal.h"
#include "native/process/thread_exit.h"
#include "native/sampling/sampled_blocks.h"
#include "native/sampling/sampler.h"
#include "native/transport/fork_page.h"
#include "native/transport/handshake.h"
#include "native/transport/kernel.h"
#include "native/transport/raw_file.h"

namespace nh::process {
namespace {

namespace kernel = transport::kernel;

// What a collector may want at any time is made ready now: later no memory is asked for. Of address space that the
// program has limited this takes a quarter of what the region may: a reservation of ours must not be the program's
// null.
bool prepare_sampling(const transport::Region& region, uint64_t start_ns) {
    const uint64_t mean = region.header->sample_bytes;
    const bool may_be_wanted = mean != 0 || !transport::writes_raw_file();
    if (may_be_wanted && !sampling::sampled_blocks.open(transport::region_limit() / 4) && mean != 0) {
        return false;
    }
    sampling::start(region.kept, start_ns ^ reinterpret_cast<uintptr_t>(&mean) << 20 ^
                                     static_cast<uint64_t>(kernel::call(SYS_getpid)) << 48);
    if (transport::writes_raw_file() && mean != 0) {
        sampling::sample_at(mean);
    }
    return true;
}

}  // namespace

bool prepare_recording(const transport::Region& region, uint64_t start_ns, uint32_t heir) {
    const unwind::ModuleTable modules = {region.modules, region.module_capacity, &region.header->module_count,
                                         &region.header->clock_ns, 0};
    const unwind::ReusedCodeTable reused = {region.reused, region.reused_capacity, &region.header->reused_count, 0};
    const stacks::Tree tree = {region.nodes, region.node_capacity, &region.header->node_count,
                               transport::writes_raw_file() ? transport::make_present : nullptr};
    if (!transport::wipe_fork_page_on_fork() || !map_thread_states(region, heir) ||
        !unwind::initialise(modules, reused) || !stacks::initialise(tree) || !prepare_sampling(region, start_ns)) {
        return false;
    }
    transport::begin_with_one_thread(find_variable("__libc_single_threaded"));
    prepare_thread_exit();
    prepare_parking(region.header->park_signal);
    prepare_snapshot_signal(region.header->snapshot_signal);
    return true;
}

}  // namespace nh::process
