// CoreCLR's data contract: where the runtime keeps what is needed to unwind its code, by its own description.
// dotnet/runtime, docs/design/datacontracts: contract-descriptor.md, data_descriptor.md, ExecutionManager.md,
// Thread.md.
#pragma once
#include <stdint.h>

namespace nh::unwind {

// Offsets within the runtime's structures, and addresses of its globals. Names are the contract's.
struct RuntimeContract {
    uintptr_t code_range_map;  // ExecutionManagerCodeRangeMapAddress
    uint32_t top_level_data;
    struct {
        uint32_t begin, end_open, range_section, next;
    } fragment;
    struct {
        uint32_t begin, end_open, flags, heap_list, r2r_module;
    } section;
    struct {
        uint32_t map_base, header_map;
    } code_heap;
    struct {
        uint32_t method_desc, gc_info, unwind_info_count, unwind_infos;
    } code_header;
    struct {
        uint32_t flags, dynamic_name;  // dynamic_name 0: not known
    } method_desc;
    struct {
        uint32_t ready_to_run_info;
    } module;
    struct {
        uint32_t composite_info, function_count, functions;
    } ready_to_run;
    uintptr_t last_stub_kind;  // StubCodeBlockLast
    bool undescribed;          // see undescribed_runtime
    bool trusted;              // code_range_map is right: what it leads to is the runtime's

    // Contract Thread; thread_store 0: not known, and hijacked return addresses cannot be followed.
    uintptr_t thread_store;  // where the pointer to it is
    uint32_t first_thread_link, thread_link;
};

// Reads the descriptor at that address (what the symbol DotNetRuntimeContractDescriptor names). False when it is none,
// or describes versions of the contracts that are not known here.
bool read_runtime_contract(uintptr_t descriptor, RuntimeContract* contract);

// .NET 8 and 9 have these tables without describing them: their layout by vm/codeman.h of the releases, but for
// code_range_map, which must be searched for. ReadyToRun images are then read by their own headers, and words of the
// nibble map are of version 1, without pointers. `descriptor` (0: none) may still describe threads.
RuntimeContract undescribed_runtime(uintptr_t descriptor);

}  // namespace nh::unwind
