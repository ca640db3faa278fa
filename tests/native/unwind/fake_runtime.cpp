#include "tests/native/unwind/fake_runtime.h"

#include <string.h>
#include <sys/mman.h>

#include <cstdlib>

#include "native/unwind/known_runtime.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {
namespace {

constexpr size_t tables_bytes = 4 << 20;
constexpr size_t heap_bytes = 128 << 10;
constexpr uint32_t last_stub_kind = 15;

// Offsets unlike those of any release, so that none can be built in.
enum : uint32_t {
    top_level = 16,
    fragment_next = 8,
    fragment_begin = 16,
    fragment_end = 32,
    fragment_section = 24,
    section_begin = 40,
    section_end = 8,
    section_flags = 4,
    section_heap = 16,
    section_module = 24,
    heap_map = 8,
    heap_base = 24,
    header_gc = 8,
    header_method = 0,
    header_count = 20,
    header_infos = 24,
    method_flags = 10,
    method_name = 24,
    module_image = 40,
    image_composite = 8,
    image_count = 20,
    image_functions = 32,
    store_first = 24,
    thread_next = 72,
    thread_slot = 168,
};

void put32(Bytes& bytes, uint32_t value) {
    for (int i = 0; i < 4; ++i) {
        bytes.push_back(static_cast<uint8_t>(value >> 8 * i));
    }
}

void append(Bytes& bytes, std::initializer_list<uint8_t> more) {
    bytes.insert(bytes.end(), more);
}

uintptr_t map_memory(size_t bytes, int protection) {
    void* memory = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        abort();
    }
    return reinterpret_cast<uintptr_t>(memory);
}

}  // namespace

MadeCode frame_by_stack_pointer(uint32_t frame_bytes) {
    MadeCode made;
    append(made.code, {0x55, 0x53, 0x48, 0x81, 0xEC});  // push rbp; push rbx; sub rsp, frame_bytes
    put32(made.code, frame_bytes);
    append(made.code, {0x48, 0xC7, 0xC5, 0x35, 0x12, 0, 0});  // mov rbp, 0x1235
    append(made.code, {0xFF, 0xD7});                          // call rdi
    made.call_end = static_cast<uint32_t>(made.code.size());
    append(made.code, {0x48, 0x81, 0xC4});
    put32(made.code, frame_bytes);
    append(made.code, {0x5B, 0x5D, 0xC3});
    // Version 1, prologue of 9 bytes, 4 slots, no frame register; ALLOC_LARGE scaled, PUSH RBX, PUSH RBP.
    made.unwind = {
        1, 9,    4, 0,   9, 0x01, static_cast<uint8_t>(frame_bytes / 8), static_cast<uint8_t>(frame_bytes / 8 >> 8),
        2, 0x30, 1, 0x50};
    return made;
}

MadeCode frame_that_passes_on(uint32_t frame_bytes) {
    MadeCode made = frame_by_stack_pointer(frame_bytes);
    // In place of loading RBP and calling RDI: mov rax, rdi; mov rdi, rsi; call rax.
    const Bytes calls = {0x48, 0x89, 0xF8, 0x48, 0x89, 0xF7, 0xFF, 0xD0};
    made.code.erase(made.code.begin() + 9, made.code.begin() + made.call_end);
    made.code.insert(made.code.begin() + 9, calls.begin(), calls.end());
    made.call_end = 9 + static_cast<uint32_t>(calls.size());
    return made;
}

MadeCode frame_by_register(uint32_t frame_bytes) {
    MadeCode made;
    append(made.code, {0x55, 0x48, 0x81, 0xEC});  // push rbp; sub rsp, frame_bytes
    put32(made.code, frame_bytes);
    append(made.code, {0x48, 0x8D, 0xAC, 0x24});  // lea rbp, [rsp + frame_bytes]
    put32(made.code, frame_bytes);
    append(made.code, {0x48, 0x81, 0xEC, 0, 1, 0, 0});  // sub rsp, 256
    append(made.code, {0xFF, 0xD7});
    made.call_end = static_cast<uint32_t>(made.code.size());
    append(made.code, {0x48, 0x8D, 0x65, 0x00, 0x5D, 0xC3});  // lea rsp, [rbp]; pop rbp; ret
    // SET_FPREG_LARGE (offset / 16 in two slots), ALLOC_LARGE, PUSH RBP; frame register RBP, offset 15.
    const uint32_t scaled = frame_bytes / 16;
    made.unwind = {1,
                   16,
                   6,
                   0xF5,
                   16,
                   0x0B,
                   static_cast<uint8_t>(scaled),
                   static_cast<uint8_t>(scaled >> 8),
                   static_cast<uint8_t>(scaled >> 16),
                   static_cast<uint8_t>(scaled >> 24),
                   8,
                   0x01,
                   static_cast<uint8_t>(frame_bytes / 8),
                   static_cast<uint8_t>(frame_bytes / 8 >> 8),
                   1,
                   0x50};
    return made;
}

std::string FakeRuntime::contract_text() {
    auto number = [](const char* name, uint32_t value) {
        return "\"" + std::string(name) + "\":" + std::to_string(value);
    };
    return "{\"version\":0,\"baseline\":\"empty\",\"types\":{"
           "\"Unused\":{\"Text\":\"a } ] , \\\" b\",\"Deep\":[[{}],[1,[2]]]},"
           "\"RangeSectionMap\":{" +
           number("TopLevelData", top_level) +
           "},"
           "\"RangeSectionFragment\":{" +
           number("RangeBegin", fragment_begin) + "," + number("RangeEndOpen", fragment_end) + "," +
           number("RangeSection", fragment_section) + "," + number("Next", fragment_next) +
           "},"
           "\"RangeSection\":{" +
           number("RangeBegin", section_begin) + "," + number("RangeEndOpen", section_end) + "," +
           number("Flags", section_flags) + "," + number("HeapList", section_heap) + "," +
           number("R2RModule", section_module) +
           "},"
           "\"CodeHeapListNode\":{" +
           number("MapBase", heap_base) + "," + number("HeaderMap", heap_map) +
           "},"
           "\"RealCodeHeader\":{" +
           number("MethodDesc", header_method) + "," + number("GCInfo", header_gc) + "," +
           number("NumUnwindInfos", header_count) + "," + number("UnwindInfos", header_infos) +
           "},"
           "\"RuntimeFunction\":{\"!\":12,\"BeginAddress\":0,\"EndAddress\":4,\"UnwindData\":8},"
           "\"MethodDesc\":{" +
           number("Flags", method_flags) +
           "},"
           "\"DynamicMethodDesc\":{" +
           number("MethodName", method_name) +
           "},"
           "\"Module\":{" +
           number("ReadyToRunInfo", module_image) +
           "},"
           "\"ReadyToRunInfo\":{" +
           number("CompositeInfo", image_composite) + "," + number("NumRuntimeFunctions", image_count) + "," +
           number("RuntimeFunctions", image_functions) +
           "},"
           "\"ThreadStore\":{" +
           number("FirstThreadLink", store_first) +
           "},"
           "\"Thread\":{\"LinkNext\":[" +
           std::to_string(thread_next) +
           ",\"pointer\"]}},"
           "\"globals\":{\"Architecture\":[\"x64\",\"string\"],\"StubCodeBlockLast\":[\"0xf\",\"uint8\"],"
           "\"ThreadStore\":[[2],\"pointer\"],\"ExecutionManagerCodeRangeMapAddress\":[[1],\"pointer\"]},"
           "\"contracts\":{\"ExecutionManager\":2,\"Thread\":1}}";
}

FakeRuntime& FakeRuntime::instance() {
    static FakeRuntime runtime;
    return runtime;
}

FakeRuntime::FakeRuntime() {
    tables_ = reinterpret_cast<uint8_t*>(map_memory(tables_bytes, PROT_READ | PROT_WRITE));
    map_ = take(top_level + 256 * 8);
    thread_store_ = take(64);
    uintptr_t link = 0;
    for (uintptr_t& thread : threads_) {
        thread = take(4096);
        store(thread + thread_next, link);
        link = thread + thread_next;
    }
    store(thread_store_ + store_first, link);
    for (int heap : {permanent, collectible}) {
        // One heap, one chunk of the map.
        const uintptr_t memory = map_memory(2 * heap_bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
        heaps_[heap] = (memory + heap_bytes - 1) & ~(heap_bytes - 1);
        nibbles_[heap] = take(heap_bytes / 64);
        const uintptr_t list = take(64);
        store(list + heap_base, heaps_[heap]);
        store(list + heap_map, nibbles_[heap]);
        add_section(heaps_[heap], heaps_[heap] + heap_bytes, heap == collectible ? 3 : 2, list, 0);
    }
    // Its "module" is the code known by hand, so that a planted address can be one of its functions.
    if (!use_runtime(descriptor_for(contract_text()), reinterpret_cast<uintptr_t>(known_rsp),
                     reinterpret_cast<uintptr_t>(known_rsp) + 4096)) {
        abort();
    }
}

uintptr_t FakeRuntime::take(size_t bytes) {
    const size_t at = (next_ + 15) & ~size_t{15};
    next_ = at + bytes;
    if (next_ > tables_bytes) {
        abort();
    }
    return reinterpret_cast<uintptr_t>(tables_) + at;
}

void FakeRuntime::store(uintptr_t address, uint64_t value) {
    memcpy(reinterpret_cast<void*>(address), &value, sizeof(value));
}

uintptr_t FakeRuntime::descriptor_for(const std::string& text) {
    const uintptr_t pointers = take(24);
    store(pointers, 0);
    store(pointers + 8, map_);
    const uintptr_t pointer_to_store = take(8);
    store(pointer_to_store, thread_store_);
    store(pointers + 16, pointer_to_store);
    const uintptr_t copy = take(text.size());
    memcpy(reinterpret_cast<void*>(copy), text.data(), text.size());
    const uintptr_t descriptor = take(40);
    memcpy(reinterpret_cast<void*>(descriptor), "DNCCDAC", 8);
    store(descriptor + 8, 1 | uint64_t{text.size()} << 32);
    store(descriptor + 16, copy);
    store(descriptor + 24, 3);
    store(descriptor + 32, pointers);
    return descriptor;
}

void FakeRuntime::add_section(uintptr_t begin, uintptr_t end, uint32_t flags, uintptr_t heap_list, uintptr_t module) {
    const uintptr_t section = take(64);
    store(section + section_begin, begin);
    store(section + section_end, end);
    memcpy(reinterpret_cast<void*>(section + section_flags), &flags, sizeof(flags));
    store(section + section_heap, heap_list);
    store(section + section_module, module);
    for (uintptr_t chunk = begin & ~uintptr_t{0x1FFFF}; chunk < end; chunk += 0x20000) {
        uintptr_t level = map_ + top_level;
        for (uint32_t shift = 49; shift > 17; shift -= 8) {
            const uintptr_t slot = level + (chunk >> shift & 0xFF) * 8;
            uintptr_t next;
            memcpy(&next, reinterpret_cast<void*>(slot), sizeof(next));
            if (next == 0) {
                next = take(256 * 8);
                store(slot, next | (flags & 1));
            }
            level = next & ~uintptr_t{1};
        }
        const uintptr_t slot = level + (chunk >> 17 & 0xFF) * 8;
        uintptr_t other;
        memcpy(&other, reinterpret_cast<void*>(slot), sizeof(other));
        const uintptr_t fragment = take(40);
        store(fragment + fragment_begin, begin > chunk ? begin : chunk);
        store(fragment + fragment_end, end < chunk + 0x20000 ? end : chunk + 0x20000);
        store(fragment + fragment_section, section);
        store(fragment + fragment_next, other);
        store(slot, fragment | (flags & 1));
    }
}

// As the runtime writes its map: a nibble for the start, a pointer in each word that the code covers wholly.
void FakeRuntime::mark_code(Heap heap, uint32_t begin, uint32_t end) {
    auto words = reinterpret_cast<uint32_t*>(nibbles_[heap]);
    for (uint32_t bucket = begin / 32; bucket <= (end - 1) / 32; ++bucket) {
        uint32_t& word = words[bucket / 8];
        const uint32_t shift = 28 - 4 * (bucket % 8);
        if ((word & 0xF) > 8) {
            word = 0;
        }
        word &= ~(0xFu << shift);
        if (bucket == begin / 32) {
            word |= (begin % 32 / 4 + 1) << shift;
        }
    }
    for (uint32_t word = begin / 256 + 1; (word + 1) * 256 <= end; ++word) {
        words[word] = (begin & ~0xFu) + (begin % 16 / 4 + 9);
    }
}

uintptr_t FakeRuntime::put_method(Heap heap, uint32_t offset, const std::vector<MadeCode>& functions,
                                  const char* name) {
    uintptr_t& header = headers_[heap][offset];
    if (header == 0) {
        header = take(header_infos + 12 * 8);
        store(header + header_method, take(48));
        store(header + header_gc, take(8));
    }
    uintptr_t method;
    memcpy(&method, reinterpret_cast<void*>(header + header_method), sizeof(method));
    const uint16_t dynamic = 7;
    memcpy(reinterpret_cast<void*>(method + method_flags), &dynamic, sizeof(dynamic));
    static std::map<uintptr_t, char*> names;
    char*& text = names[method];
    text = text != nullptr ? text : reinterpret_cast<char*>(take(32));
    strncpy(text, name, 31);
    store(method + method_name, reinterpret_cast<uintptr_t>(text));

    uint32_t at = offset;
    const auto count = static_cast<uint32_t>(functions.size());
    memcpy(reinterpret_cast<void*>(header + header_count), &count, sizeof(count));
    std::vector<RuntimeFunction> table;
    for (const MadeCode& function : functions) {
        memcpy(reinterpret_cast<void*>(heaps_[heap] + at), function.code.data(), function.code.size());
        table.push_back({at, at + static_cast<uint32_t>(function.code.size()), 0});
        at += static_cast<uint32_t>(function.code.size());
    }
    const uint32_t code_end = at;
    for (uint32_t i = 0; i < count; ++i) {
        at = (at + 3) & ~3u;
        memcpy(reinterpret_cast<void*>(heaps_[heap] + at), functions[i].unwind.data(), functions[i].unwind.size());
        table[i].unwind_info = at;
        at += static_cast<uint32_t>(functions[i].unwind.size());
    }
    memcpy(reinterpret_cast<void*>(header + header_infos), table.data(), table.size() * sizeof(table[0]));
    store(heaps_[heap] + offset - 8, header);
    mark_code(heap, offset, code_end);
    return heaps_[heap] + offset;
}

uintptr_t FakeRuntime::put_stub(Heap heap, uint32_t offset, const Bytes& code) {
    memcpy(reinterpret_cast<void*>(heaps_[heap] + offset), code.data(), code.size());
    store(heaps_[heap] + offset - 8, last_stub_kind);
    mark_code(heap, offset, offset + static_cast<uint32_t>(code.size()));
    return heaps_[heap] + offset;
}

// As a linker writes them: "MZ", the offset of "PE", the optional header's magic, data directory 3 and the table.
void FakeRuntime::put_headers(uintptr_t image, const std::vector<RuntimeFunction>& table) {
    const uint32_t headers = 0x80, optional = headers + 24, directory = optional + 112 + 3 * 8, place = 0x200;
    memcpy(reinterpret_cast<void*>(image), "MZ", 2);
    memcpy(reinterpret_cast<void*>(image + 0x3C), &headers, sizeof(headers));
    memcpy(reinterpret_cast<void*>(image + headers), "PE", 2);
    const uint16_t magic = 0x20B;
    memcpy(reinterpret_cast<void*>(image + optional), &magic, sizeof(magic));
    const uint32_t entry[2] = {place, static_cast<uint32_t>(table.size() * sizeof(table[0]))};
    memcpy(reinterpret_cast<void*>(image + directory), entry, sizeof(entry));
    memcpy(reinterpret_cast<void*>(image + place), table.data(), entry[1]);
}

void FakeRuntime::forget_nibble_pointers() {
    for (uintptr_t map : nibbles_) {
        for (uint32_t i = 0; i < heap_bytes / 256; ++i) {
            uint32_t& word = reinterpret_cast<uint32_t*>(map)[i];
            word = (word & 0xF) > 8 ? 0 : word;
        }
    }
}

std::vector<uintptr_t> FakeRuntime::put_image(const std::vector<MadeCode>& functions) {
    const uintptr_t image = map_memory(heap_bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    std::vector<uintptr_t> places;
    std::vector<RuntimeFunction> table;
    uint32_t at = 4096;
    for (const MadeCode& function : functions) {
        memcpy(reinterpret_cast<void*>(image + at), function.code.data(), function.code.size());
        const uint32_t info = (at + 1024) & ~3u;
        memcpy(reinterpret_cast<void*>(image + info), function.unwind.data(), function.unwind.size());
        table.push_back({at, at + static_cast<uint32_t>(function.code.size()), info});
        places.push_back(image + at);
        at += 2048;
    }
    const uintptr_t copy = take(table.size() * sizeof(table[0]));
    memcpy(reinterpret_cast<void*>(copy), table.data(), table.size() * sizeof(table[0]));
    put_headers(image, table);
    const uintptr_t own = take(64), composite = take(64), module = take(64);
    store(module + module_image, own);
    store(own + image_composite, composite);
    const auto count = static_cast<uint32_t>(table.size());
    memcpy(reinterpret_cast<void*>(composite + image_count), &count, sizeof(count));
    store(composite + image_functions, copy);
    add_section(image, image + heap_bytes, 0, 0, module);
    return places;
}

void FakeRuntime::hijack(uintptr_t slot, uintptr_t address) {
    store(threads_[1] + thread_slot - 8, address);
    store(threads_[1] + thread_slot, slot);
}

}  // namespace nh::unwind::test
