#include "native/process/elf_lookup.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>

#include "native/transport/kernel.h"

extern __attribute__((visibility("hidden"))) ElfW(Dyn) _DYNAMIC[];

#pragma weak _r_debug  // musl has none

namespace nh::process {
namespace {

namespace kernel = transport::kernel;

// Its own address, made true by a relocation: until the loader has come by it holds 0 or the address at link time.
const volatile void* volatile relocated_address = &relocated_address;

bool same(const char* a, const char* b) {
    while (*a == *b && *a != 0) {
        a++;
        b++;
    }
    return *a == *b;
}

struct SymbolTable {
    const ElfW(Sym) * symbols;
    const char* names;
    const ElfW(Half) * versions;  // may be null
    const uint32_t* gnu_hash;     // one of the two is there
    const ElfW(Word) * sysv_hash;
    bool data;  // variables are looked for, not functions
};

// glibc writes addresses over the offsets in the dynamic section, other loaders and the vDSO leave offsets.
uintptr_t dynamic_address(const link_map* library, ElfW(Addr) value) {
    return value < library->l_addr ? value + library->l_addr : value;
}

bool read_dynamic(const link_map* library, SymbolTable* table) {
    *table = {};
    for (const ElfW(Dyn)* entry = library->l_ld; entry != nullptr && entry->d_tag != DT_NULL; entry++) {
        uintptr_t at = dynamic_address(library, entry->d_un.d_ptr);
        switch (entry->d_tag) {
            case DT_SYMTAB:
                table->symbols = reinterpret_cast<const ElfW(Sym)*>(at);
                break;
            case DT_STRTAB:
                table->names = reinterpret_cast<const char*>(at);
                break;
            case DT_VERSYM:
                table->versions = reinterpret_cast<const ElfW(Half)*>(at);
                break;
            case DT_GNU_HASH:
                table->gnu_hash = reinterpret_cast<const uint32_t*>(at);
                break;
            case DT_HASH:
                table->sysv_hash = reinterpret_cast<const ElfW(Word)*>(at);
                break;
        }
    }
    return table->symbols != nullptr && table->names != nullptr &&
           (table->gnu_hash != nullptr || table->sysv_hash != nullptr);
}

bool is_default(const SymbolTable& table, uint32_t index, const char* name) {
    const ElfW(Sym)& symbol = table.symbols[index];
    constexpr ElfW(Half) hidden_version = 0x8000;
    unsigned type = ELF64_ST_TYPE(symbol.st_info);
    bool is_wanted = table.data ? type == STT_OBJECT : type == STT_FUNC || type == STT_GNU_IFUNC;
    unsigned binding = ELF64_ST_BIND(symbol.st_info);
    return symbol.st_shndx != SHN_UNDEF && symbol.st_value != 0 && is_wanted &&
           (binding == STB_GLOBAL || binding == STB_WEAK) &&
           (table.versions == nullptr || (table.versions[index] & hidden_version) == 0) &&
           same(table.names + symbol.st_name, name);
}

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (const char* c = name; *c != 0; c++) {
        hash = hash * 33 + static_cast<unsigned char>(*c);
    }
    return hash;
}

uint32_t find_by_gnu_hash(const SymbolTable& table, const char* name) {
    uint32_t hash = gnu_hash(name);
    uint32_t bucket_count = table.gnu_hash[0];
    uint32_t first = table.gnu_hash[1];
    uint32_t bloom_words = table.gnu_hash[2];
    const uint32_t* buckets = table.gnu_hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t* chain = buckets + bucket_count;
    uint32_t index = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
    if (index < first || index == 0) {
        return 0;
    }
    for (;; index++) {
        uint32_t entry = chain[index - first];
        if ((entry | 1) == (hash | 1) && is_default(table, index, name)) {
            return index;
        }
        if ((entry & 1) != 0) {
            return 0;
        }
    }
}

// The next of that name in the chain.
uint32_t next_by_gnu_hash(const SymbolTable& table, uint32_t index, const char* name) {
    uint32_t hash = gnu_hash(name);
    uint32_t first = table.gnu_hash[1];
    const uint32_t* chain =
        table.gnu_hash + 4 + table.gnu_hash[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t)) + table.gnu_hash[0];
    while ((chain[index - first] & 1) == 0) {
        index++;
        if ((chain[index - first] | 1) == (hash | 1) && is_default(table, index, name)) {
            return index;
        }
    }
    return 0;
}

uint32_t next_by_sysv_hash(const SymbolTable& table, uint32_t index, const char* name) {
    const ElfW(Word)* chain = table.sysv_hash + 2 + table.sysv_hash[0];
    do {
        index = chain[index];
    } while (index != 0 && !is_default(table, index, name));
    return index;
}

uint32_t find_by_sysv_hash(const SymbolTable& table, const char* name) {
    uint32_t hash = 0;
    for (const char* c = name; *c != 0; c++) {
        hash = (hash << 4) + static_cast<unsigned char>(*c);
        uint32_t high = hash & 0xf0000000;
        hash = (hash ^ (high >> 24)) & ~high;
    }
    uint32_t bucket_count = table.sysv_hash[0];
    const ElfW(Word)* buckets = table.sysv_hash + 2;
    const ElfW(Word)* chain = buckets + bucket_count;
    uint32_t index = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
    while (index != 0 && !is_default(table, index, name)) {
        index = chain[index];
    }
    return index;
}

// 0: there is none.
uint32_t find_in(const SymbolTable& table, const char* name) {
    return table.gnu_hash != nullptr ? find_by_gnu_hash(table, name) : find_by_sysv_hash(table, name);
}

// Where the loader was mapped, from the auxiliary vector: the way that needs no relocated pointer.
uintptr_t loader_base() {
    long file = kernel::call(SYS_openat, AT_FDCWD, kernel::address("/proc/self/auxv"), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ElfW(auxv_t) entry;
    uintptr_t base = 0;
    while (kernel::call(SYS_read, file, kernel::address(&entry), sizeof(entry)) == sizeof(entry) &&
           entry.a_type != AT_NULL) {
        if (entry.a_type == AT_BASE) {
            base = entry.a_un.a_val;
        }
    }
    kernel::close(static_cast<int>(file));
    return base;
}

const link_map* libraries_by_loader_base() {
    uintptr_t base = loader_base();
    if (base == 0) {
        return nullptr;
    }
    const auto* file = reinterpret_cast<const ElfW(Ehdr)*>(base);
    const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(base + file->e_phoff);
    for (int i = 0; i < file->e_phnum; i++) {
        if (segments[i].p_type != PT_DYNAMIC) {
            continue;
        }
        link_map loader = {};
        loader.l_addr = base;
        loader.l_ld = reinterpret_cast<ElfW(Dyn)*>(base + segments[i].p_vaddr);
        SymbolTable table;
        if (!read_dynamic(&loader, &table) || table.gnu_hash == nullptr) {
            return nullptr;
        }
        // _r_debug is data; the look-up of functions does not see it.
        for (uint32_t index = 1; index < 4096; index++) {
            if (same(table.names + table.symbols[index].st_name, "_r_debug")) {
                return reinterpret_cast<const r_debug*>(base + table.symbols[index].st_value)->r_map;
            }
        }
    }
    return nullptr;
}

// The gABI's way: DT_DEBUG of the main program.
const link_map* libraries_by_program() {
    const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
    uintptr_t base = 0;
    const ElfW(Phdr)* dynamic = nullptr;
    for (unsigned long i = 0; segments != nullptr && i < getauxval(AT_PHNUM); i++) {
        if (segments[i].p_type == PT_PHDR) {
            base = reinterpret_cast<uintptr_t>(segments) - segments[i].p_vaddr;
        } else if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = &segments[i];
        }
    }
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(dynamic != nullptr ? base + dynamic->p_vaddr : 0);
    for (; entry != nullptr && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_DEBUG && entry->d_un.d_ptr != 0) {
            return reinterpret_cast<const r_debug*>(entry->d_un.d_ptr)->r_map;
        }
    }
    return nullptr;
}

uintptr_t find_after_us(const char* name) {
    bool after_us = false;
    for (const link_map* library = loaded_libraries(); library != nullptr; library = library->l_next) {
        if (after_us) {
            uintptr_t found = find_function(library, name);
            if (found != 0) {
                return found;
            }
        }
        after_us = after_us || is_this_library(library);
    }
    return 0;
}

}  // namespace

bool relocated() {
    return relocated_address == &relocated_address;
}

bool is_glibc() {
    return !relocated() || &_r_debug != nullptr;  // musl relocates every library before it runs code of any
}

const link_map* loaded_libraries() {
    if (!relocated()) {
        return libraries_by_loader_base();
    }
    return is_glibc() ? _r_debug.r_map : libraries_by_program();
}

bool all_are_ready() {
    return relocated() && (&_r_debug == nullptr || _r_debug.r_state == r_debug::RT_CONSISTENT);
}

bool is_this_library(const link_map* library) {
    return library->l_ld == _DYNAMIC;
}

uintptr_t find_function(const link_map* library, const char* name) {
    SymbolTable table;
    if (!read_dynamic(library, &table)) {
        return 0;
    }
    uint32_t index = find_in(table, name);
    if (index == 0) {
        return 0;
    }
    const ElfW(Sym)& symbol = table.symbols[index];
    uintptr_t at = library->l_addr + symbol.st_value;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) {
        return reinterpret_cast<uintptr_t (*)()>(at)();
    }
    return at;
}

const char* find_variable(const char* name) {
    for (const link_map* library = loaded_libraries(); library != nullptr; library = library->l_next) {
        SymbolTable table;
        if (!read_dynamic(library, &table)) {
            continue;
        }
        table.data = true;
        uint32_t index = find_in(table, name);
        if (index != 0) {
            return reinterpret_cast<const char*>(library->l_addr + table.symbols[index].st_value);
        }
    }
    return nullptr;
}

uint32_t find_symbols(const link_map* library, const char* name, const ElfW(Sym) * *symbols, uint32_t most) {
    SymbolTable table;
    if (!read_dynamic(library, &table)) {
        return 0;
    }
    uint32_t count = 0;
    table.versions = nullptr;
    uint32_t index = find_in(table, name);
    while (index != 0 && count < most) {
        symbols[count++] = &table.symbols[index];
        index =
            table.gnu_hash != nullptr ? next_by_gnu_hash(table, index, name) : next_by_sysv_hash(table, index, name);
    }
    return count;
}

bool came_with_program() {
    enum : uint32_t { unknown, with_program, later };
    static uint32_t kept = unknown;
    uint32_t known = __atomic_load_n(&kept, __ATOMIC_RELAXED);
    if (known == unknown) {
        known = find_after_us("malloc") != 0 ? with_program : later;
        __atomic_store_n(&kept, known, __ATOMIC_RELAXED);
    }
    return known == with_program;
}

uintptr_t find_next_function(const char* name) {
    if (came_with_program()) {
        return find_after_us(name);
    }
    for (const link_map* library = loaded_libraries(); library != nullptr; library = library->l_next) {
        uintptr_t found = is_this_library(library) ? 0 : find_function(library, name);
        if (found != 0) {
            return found;
        }
    }
    return 0;
}

}  // namespace nh::process
