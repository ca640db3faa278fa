#include "native/unwind/managed_code.h"

#include "native/unwind/known_runtime.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_fragments = 1024;     // in the chunk of 128 KiB that holds the address
constexpr uint32_t most_unwind_infos = 4096;  // of one method: itself, its funclets, parts of large frames
constexpr uint32_t most_functions = 1u << 26;
constexpr uint32_t most_words_before = 1u << 16;  // 16 MiB of code of one method
// RangeSection.Flags, of codeman.h: RANGE_SECTION_COLLECTIBLE and RANGE_SECTION_CODEHEAP.
constexpr uint32_t flag_collectible = 1, flag_code_heap = 2;

struct RangeSection {
    uintptr_t begin, end_open, heap_list, r2r_module;
    uint32_t flags;
};

// The low bit of pointers in the map says that what follows is collectible.
uintptr_t untagged(uintptr_t pointer) {
    return pointer & ~uintptr_t{1};
}

// Five levels of 256 pointers for bits 56 to 17 of the address, then a list of fragments.
uintptr_t first_fragment(CarefulReader& reader, const RuntimeContract& contract, uintptr_t address) {
    constexpr uint32_t top_shift = 49, low_shift = 17, level_bits = 8;
    uintptr_t level = contract.code_range_map + contract.top_level_data;
    for (uint32_t shift = top_shift; level != 0; shift -= level_bits) {
        level = untagged(reader.word(level + (address >> shift & 0xFF) * sizeof(uintptr_t)));
        if (shift == low_shift) {
            break;
        }
    }
    return level;
}

bool find_section(CarefulReader& reader, const RuntimeContract& contract, uintptr_t address, RangeSection* section) {
    // The map's levels are only ever added to; fragments and sections of unloaded code are deleted.
    reader.assume_permanent(contract.trusted);
    uintptr_t fragment = first_fragment(reader, contract, address);
    reader.assume_permanent(false);
    for (uint32_t i = 0; fragment != 0 && reader.ok() && i < most_fragments; ++i) {
        if (address >= reader.word(fragment + contract.fragment.begin) &&
            address < reader.word(fragment + contract.fragment.end_open)) {
            const uintptr_t found = reader.word(fragment + contract.fragment.range_section);
            section->begin = reader.word(found + contract.section.begin);
            section->end_open = reader.word(found + contract.section.end_open);
            section->heap_list = reader.word(found + contract.section.heap_list);
            section->r2r_module = reader.word(found + contract.section.r2r_module);
            section->flags = reader.value<uint32_t>(found + contract.section.flags);
            return reader.ok() && address >= section->begin && address < section->end_open;
        }
        fragment = untagged(reader.word(fragment + contract.fragment.next));
    }
    return false;
}

// The nibble map. A word describes 8 buckets of 32 bytes, the first in its highest nibble: a nibble n > 0 says that
// code starts at (n - 1) * 4 in the bucket. In version 2, a word whose lowest nibble is above 8 lies wholly within the
// code that starts at the word's other bits, the nibble less 9 giving bits 2 and 3, so that only one word before must
// be looked at; in version 1, which has none of those, all of them.
class NibbleMap {
  public:
    static constexpr uint32_t bucket_bytes = 32, buckets = 8, word_bytes = bucket_bytes * buckets;

    NibbleMap(CarefulReader& reader, uintptr_t base, uintptr_t words, uint32_t words_before)
        : reader_(reader), base_(base), words_(words), words_before_(words_before) {}

    // Where the code that covers the address starts; 0 when there is none.
    uintptr_t find_start(uintptr_t address) const {
        const uintptr_t offset = address - base_;
        const uintptr_t index = offset / word_bytes;
        const uint32_t word = read(index);
        if (is_start(word)) {
            return start_in(word);
        }
        const auto bucket = static_cast<uint32_t>(offset / bucket_bytes % buckets);
        const uint32_t own = nibble(word, bucket);
        if (own != 0 && own - 1 <= offset % bucket_bytes / 4) {
            return start_at(index, bucket, own);
        }
        uintptr_t found = last_start(index, word, bucket);
        for (uint32_t before = 1; found == 0 && before <= words_before_ && before <= index && reader_.ok(); ++before) {
            const uint32_t previous = read(index - before);
            found = is_start(previous) ? start_in(previous) : last_start(index - before, previous, buckets);
        }
        return found;
    }

  private:
    static bool is_start(uint32_t word) { return (word & 0xF) > 8; }
    static uint32_t nibble(uint32_t word, uint32_t bucket) { return word >> (28 - 4 * bucket) & 0xF; }

    uint32_t read(uintptr_t index) const { return reader_.value<uint32_t>(words_ + index * sizeof(uint32_t)); }
    uintptr_t start_in(uint32_t word) const { return base_ + (word & ~0xFu) + (((word & 0xF) - 9) << 2); }
    uintptr_t start_at(uintptr_t index, uint32_t bucket, uint32_t value) const {
        return base_ + index * word_bytes + bucket * bucket_bytes + (value - 1) * 4;
    }
    // In the buckets before that one.
    uintptr_t last_start(uintptr_t index, uint32_t word, uint32_t bucket) const {
        while (bucket-- != 0) {
            if (nibble(word, bucket) != 0) {
                return start_at(index, bucket, nibble(word, bucket));
            }
        }
        return 0;
    }

    CarefulReader& reader_;
    uintptr_t base_, words_;
    uint32_t words_before_;
};

// Just-in-time compiled: the word before the code points to its header, which lists main body and funclets.
bool find_jit_function(CarefulReader& reader, const RuntimeContract& contract, const RangeSection& section,
                       uintptr_t address, ManagedFunction* found) {
    const uintptr_t map_base = reader.word(section.heap_list + contract.code_heap.map_base);
    const uintptr_t map = reader.word(section.heap_list + contract.code_heap.header_map);
    if (!reader.ok() || address < map_base) {
        return false;
    }
    const uintptr_t start =
        NibbleMap(reader, map_base, map, contract.undescribed ? most_words_before : 1).find_start(address);
    if (start == 0 || start > address) {
        return false;
    }
    const uintptr_t header = reader.word(start - sizeof(uintptr_t));
    if (!reader.ok() || header <= contract.last_stub_kind) {
        return false;
    }
    const auto count = reader.value<uint32_t>(header + contract.code_header.unwind_info_count);
    const uintptr_t offset = address - section.begin;
    for (uint32_t i = 0; i < count && i < most_unwind_infos; ++i) {
        const uintptr_t at = header + contract.code_header.unwind_infos + i * sizeof(RuntimeFunction);
        if (!reader.read(at, &found->function, sizeof(found->function))) {
            return false;
        }
        if (offset >= found->function.begin && offset < found->function.end) {
            found->start = start;
            found->header = header;
            found->function_at = at;
            return true;
        }
    }
    return false;
}

// A sorted table of RUNTIME_FUNCTION.
struct FunctionTable {
    uintptr_t start;
    uint32_t count;
};

// ReadyToRun: one table for the image, or for the composite image that it is a part of.
bool find_function_table(CarefulReader& reader, const RuntimeContract& contract, const RangeSection& section,
                         FunctionTable* table) {
    const uintptr_t own = reader.word(section.r2r_module + contract.module.ready_to_run_info);
    const uintptr_t info = reader.word(own + contract.ready_to_run.composite_info);
    table->count = reader.value<uint32_t>(info + contract.ready_to_run.function_count);
    table->start = reader.word(info + contract.ready_to_run.functions);
    return reader.ok();
}

// The same by the image's headers (Microsoft's "PE Format": the exception table is data directory 3 of the optional
// header, which follows signature and file header).
bool find_exception_table(CarefulReader& reader, const RangeSection& section, FunctionTable* table) {
    constexpr uint16_t dos_magic = 0x5A4D, optional_magic = 0x20B;
    constexpr uint32_t headers_at = 0x3C, signature = 0x4550, optional_header = 24, exception_directory = 112 + 3 * 8;
    const uintptr_t headers = section.begin + reader.value<uint32_t>(section.begin + headers_at);
    if (reader.value<uint16_t>(section.begin) != dos_magic || reader.value<uint32_t>(headers) != signature ||
        reader.value<uint16_t>(headers + optional_header) != optional_magic) {
        return false;
    }
    const uintptr_t directory = headers + optional_header + exception_directory;
    table->start = section.begin + reader.value<uint32_t>(directory);
    table->count = reader.value<uint32_t>(directory + 4) / static_cast<uint32_t>(sizeof(RuntimeFunction));
    return reader.ok();
}

bool find_precompiled_function(CarefulReader& reader, const FunctionTable& table, uintptr_t offset,
                               RuntimeFunction* function) {
    if (table.count == 0 || table.count > most_functions) {
        return false;
    }
    uint32_t low = 0, high = table.count;  // the last that does not begin behind the offset is in [low, high)
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        const auto begin = reader.value<uint32_t>(table.start + uintptr_t{middle} * sizeof(RuntimeFunction));
        (begin <= offset ? low : high) = middle;
    }
    return reader.read(table.start + uintptr_t{low} * sizeof(RuntimeFunction), function, sizeof(*function)) &&
           reader.ok() && offset >= function->begin && offset < function->end;
}

}  // namespace

bool find_managed_function(CarefulReader& reader, const RuntimeContract& contract, uintptr_t instruction,
                           ManagedFunction* found) {
    RangeSection section;
    if (!find_section(reader, contract, instruction, &section)) {
        return false;
    }
    *found = {};
    found->base = section.begin;
    found->collectible = (section.flags & flag_collectible) != 0;
    // Loader heaps and images of what is not collectible are never given back.
    reader.assume_permanent(contract.trusted && !found->collectible);
    if (section.r2r_module != 0) {
        FunctionTable table;
        return (contract.undescribed ? find_exception_table(reader, section, &table)
                                     : find_function_table(reader, contract, section, &table)) &&
               find_precompiled_function(reader, table, instruction - section.begin, &found->function);
    }
    return (section.flags & flag_code_heap) != 0 && find_jit_function(reader, contract, section, instruction, found);
}

bool find_managed_rules(CarefulReader& reader, const RuntimeContract& contract, uintptr_t instruction,
                        ManagedFunction* found, FrameRules* rules) {
    return find_managed_function(reader, contract, instruction, found) &&
           run_windows_unwind(reader, found->base, found->function, instruction, rules);
}

bool find_managed_rules(CarefulReader& reader, uintptr_t instruction, ManagedFunction* found, FrameRules* rules) {
    const RuntimeContract* contract = known_runtime();
    if (contract == nullptr) {
        search_runtime(instruction + 1);
        contract = known_runtime();
    }
    return contract != nullptr && find_managed_rules(reader, *contract, instruction, found, rules);
}

}  // namespace nh::unwind
