#include "native/unwind/runtime_contract.h"

#include "native/unwind/careful_reader.h"
#include "native/unwind/contract_json.h"

namespace nh::unwind {
namespace {

constexpr uint64_t descriptor_magic = 0x0043414443434E44;  // "DNCCDAC\0"
constexpr uint32_t flag_always = 1, flag_32_bit = 2;
constexpr uint32_t most_text = 1u << 20;
constexpr uint64_t most_offset = 1u << 20;

// struct DotNetRuntimeContractDescriptor
struct Descriptor {
    uint64_t magic;
    uint32_t flags;
    uint32_t text_bytes;
    uintptr_t text;
    uint32_t pointer_count;
    uint32_t padding;
    uintptr_t pointers;
};

bool all_readable(uintptr_t start, uintptr_t bytes) {
    for (uintptr_t at = start & ~(page_bytes - 1); at < start + bytes; at += page_bytes) {
        if (!page_readable(at)) {
            return false;
        }
    }
    return start + bytes >= start;
}

bool read_offset(const ContractJson& type, const char* field, uint32_t* offset) {
    uint64_t value;
    if (!type.member(field).first().number(&value) || value > most_offset) {
        return false;
    }
    *offset = static_cast<uint32_t>(value);
    return true;
}

// Versions are numbers in .NET 10, and later texts: "c2".
bool has_version(const ContractJson& contracts, const char* name, uint64_t version, const char* text) {
    uint64_t value;
    const ContractJson found = contracts.member(name).first();
    return (found.number(&value) && value == version) || found.is_text(text);
}

// A global that is a pointer is written as [[index], "pointer"], the index being of the pointer data.
bool read_global_pointer(const ContractJson& globals, const char* name, const Descriptor& descriptor,
                         uintptr_t* pointer) {
    const ContractJson index = globals.member(name).first();
    uint64_t value;
    if (!index.is_array() || !index.first().number(&value) || value >= descriptor.pointer_count) {
        return false;
    }
    CarefulReader reader;
    return reader.read(descriptor.pointers + value * sizeof(uintptr_t), pointer, sizeof(*pointer)) && *pointer != 0;
}

bool read_execution_manager(const ContractJson& types, RuntimeContract* contract) {
    const ContractJson fragment = types.member("RangeSectionFragment");
    const ContractJson section = types.member("RangeSection");
    const ContractJson heap = types.member("CodeHeapListNode");
    const ContractJson header = types.member("RealCodeHeader");
    const ContractJson ready_to_run = types.member("ReadyToRunInfo");
    return read_offset(types.member("RangeSectionMap"), "TopLevelData", &contract->top_level_data) &&
           read_offset(fragment, "RangeBegin", &contract->fragment.begin) &&
           read_offset(fragment, "RangeEndOpen", &contract->fragment.end_open) &&
           read_offset(fragment, "RangeSection", &contract->fragment.range_section) &&
           read_offset(fragment, "Next", &contract->fragment.next) &&
           read_offset(section, "RangeBegin", &contract->section.begin) &&
           read_offset(section, "RangeEndOpen", &contract->section.end_open) &&
           read_offset(section, "Flags", &contract->section.flags) &&
           read_offset(section, "HeapList", &contract->section.heap_list) &&
           read_offset(section, "R2RModule", &contract->section.r2r_module) &&
           read_offset(heap, "MapBase", &contract->code_heap.map_base) &&
           read_offset(heap, "HeaderMap", &contract->code_heap.header_map) &&
           read_offset(header, "MethodDesc", &contract->code_header.method_desc) &&
           read_offset(header, "GCInfo", &contract->code_header.gc_info) &&
           read_offset(header, "NumUnwindInfos", &contract->code_header.unwind_info_count) &&
           read_offset(header, "UnwindInfos", &contract->code_header.unwind_infos) &&
           read_offset(types.member("Module"), "ReadyToRunInfo", &contract->module.ready_to_run_info) &&
           read_offset(ready_to_run, "CompositeInfo", &contract->ready_to_run.composite_info) &&
           read_offset(ready_to_run, "NumRuntimeFunctions", &contract->ready_to_run.function_count) &&
           read_offset(ready_to_run, "RuntimeFunctions", &contract->ready_to_run.functions);
}

// struct RuntimeFunction is laid out as the platform lays out RUNTIME_FUNCTION.
bool has_known_functions(const ContractJson& types) {
    const ContractJson function = types.member("RuntimeFunction");
    uint32_t size, begin, end, unwind_data;
    return read_offset(function, "!", &size) && size == 12 && read_offset(function, "BeginAddress", &begin) &&
           begin == 0 && read_offset(function, "EndAddress", &end) && end == 4 &&
           read_offset(function, "UnwindData", &unwind_data) && unwind_data == 8;
}

// A descriptor and the parts of its text.
struct Description {
    Descriptor descriptor;
    ContractJson types, globals, contracts;
};

bool open_description(uintptr_t address, Description* description) {
    CarefulReader reader;
    Descriptor& descriptor = description->descriptor;
    if (!reader.read(address, &descriptor, sizeof(descriptor)) || descriptor.magic != descriptor_magic ||
        (descriptor.flags & (flag_always | flag_32_bit)) != flag_always || descriptor.text_bytes > most_text ||
        !all_readable(descriptor.text, descriptor.text_bytes)) {
        return false;
    }
    auto text = reinterpret_cast<const char*>(descriptor.text);
    const ContractJson root(text, text + descriptor.text_bytes);
    description->types = root.member("types");
    description->globals = root.member("globals");
    description->contracts = root.member("contracts");
    return true;
}

void read_threads(const Description& description, RuntimeContract* contract) {
    if (!has_version(description.contracts, "Thread", 1, "c1") ||
        !read_global_pointer(description.globals, "ThreadStore", description.descriptor, &contract->thread_store) ||
        !read_offset(description.types.member("ThreadStore"), "FirstThreadLink", &contract->first_thread_link) ||
        !read_offset(description.types.member("Thread"), "LinkNext", &contract->thread_link)) {
        contract->thread_store = 0;
    }
}

}  // namespace

bool read_runtime_contract(uintptr_t address, RuntimeContract* contract) {
    Description description;
    RuntimeContract found = {};
    uint64_t last_stub_kind;
    if (!open_description(address, &description) || !has_version(description.contracts, "ExecutionManager", 2, "c2") ||
        !description.globals.member("Architecture").first().is_text("x64") || !has_known_functions(description.types) ||
        !read_execution_manager(description.types, &found) ||
        !read_global_pointer(description.globals, "ExecutionManagerCodeRangeMapAddress", description.descriptor,
                             &found.code_range_map) ||
        !description.globals.member("StubCodeBlockLast").first().number(&last_stub_kind)) {
        return false;
    }
    found.last_stub_kind = last_stub_kind;
    if (!read_offset(description.types.member("MethodDesc"), "Flags", &found.method_desc.flags) ||
        !read_offset(description.types.member("DynamicMethodDesc"), "MethodName", &found.method_desc.dynamic_name)) {
        found.method_desc.dynamic_name = 0;
    }
    read_threads(description, &found);
    found.trusted = true;
    *contract = found;
    return true;
}

RuntimeContract undescribed_runtime(uintptr_t descriptor) {
    RuntimeContract contract = {};
    contract.fragment = {8, 16, 24, 0};
    contract.section = {0, 8, 16, 40, 32};
    contract.code_heap = {32, 40};
    contract.code_header = {24, 16, 32, 36};
    contract.undescribed = true;
    contract.last_stub_kind = 15;
    Description description;
    if (descriptor != 0 && open_description(descriptor, &description)) {
        read_threads(description, &contract);
    }
    return contract;
}

}  // namespace nh::unwind
