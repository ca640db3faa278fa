#include "native/unwind/loader_view.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "native/unwind/object_list.h"

namespace nh::unwind {
namespace {

// struct dl_find_object of <dlfcn.h>, here because the headers of an older glibc do not have it.
struct FoundObject {
    uint64_t flags;
    void* map_start;
    void* map_end;
    link_map* map;
    void* frame_header;
    uint64_t reserved[7];
};
using FindObject = int (*)(void* address, FoundObject* result);

constexpr uint32_t most_chain = 1u << 16;

const r_debug* loader;
FindObject lock_free_find;
bool link_map_only;

struct Symbols {
    const Elf64_Sym* table;
    const char* names;
    const uint32_t* hash;  // DT_GNU_HASH
};

// The loader has relocated these pointers where the dynamic section can be written; the vDSO's cannot.
uintptr_t relocated(const link_map* map, uintptr_t value) {
    return value < map->l_addr ? value + map->l_addr : value;
}

bool symbols_of(const link_map* map, Symbols* symbols) {
    *symbols = {};
    for (const Elf64_Dyn* entry = map->l_ld; entry != nullptr && entry->d_tag != DT_NULL; ++entry) {
        const uintptr_t value = relocated(map, entry->d_un.d_ptr);
        if (entry->d_tag == DT_SYMTAB) {
            symbols->table = reinterpret_cast<const Elf64_Sym*>(value);
        } else if (entry->d_tag == DT_STRTAB) {
            symbols->names = reinterpret_cast<const char*>(value);
        } else if (entry->d_tag == DT_GNU_HASH) {
            symbols->hash = reinterpret_cast<const uint32_t*>(value);
        }
    }
    return symbols->table != nullptr && symbols->names != nullptr && symbols->hash != nullptr;
}

// The main program's DT_DEBUG points to the loader's list.
const r_debug* find_loader() {
    auto headers = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
    const uint64_t count = getauxval(AT_PHNUM);
    uintptr_t bias = 0;
    const Elf64_Phdr* dynamic = nullptr;
    for (uint64_t i = 0; headers != nullptr && i < count; ++i) {
        if (headers[i].p_type == PT_PHDR) {
            bias = reinterpret_cast<uintptr_t>(headers) - headers[i].p_vaddr;
        } else if (headers[i].p_type == PT_DYNAMIC) {
            dynamic = &headers[i];
        }
    }
    if (dynamic == nullptr) {
        return nullptr;
    }
    for (auto entry = reinterpret_cast<const Elf64_Dyn*>(bias + dynamic->p_vaddr); entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_DEBUG) {
            return reinterpret_cast<const r_debug*>(entry->d_un.d_ptr);
        }
    }
    return nullptr;
}

bool is_libc(const char* path) {
    const char* name = path == nullptr ? nullptr : strrchr(path, '/');
    return name != nullptr && strcmp(name, "/libc.so.6") == 0;
}

}  // namespace

// Through the GNU hash table; dlsym may allocate, and is ours to serve.
uintptr_t find_symbol(const link_map* map, const char* name) {
    Symbols symbols;
    if (!symbols_of(map, &symbols)) {
        return 0;
    }
    uint32_t hash = 5381;
    for (const char* c = name; *c != 0; ++c) {
        hash = hash * 33 + static_cast<uint8_t>(*c);
    }
    const uint32_t bucket_count = symbols.hash[0];
    const uint32_t first_symbol = symbols.hash[1];
    const uint32_t bloom_words = symbols.hash[2];
    if (bucket_count == 0) {
        return 0;
    }
    const uint32_t* buckets = symbols.hash + 4 + 2 * static_cast<size_t>(bloom_words);
    const uint32_t* chain = buckets + bucket_count;
    uint32_t index = buckets[hash % bucket_count];
    if (index < first_symbol) {
        return 0;
    }
    for (uint32_t steps = 0; steps < most_chain; ++steps, ++index) {
        const uint32_t entry = chain[index - first_symbol];
        const Elf64_Sym& symbol = symbols.table[index];
        if ((entry | 1) == (hash | 1) && symbol.st_shndx != SHN_UNDEF &&
            strcmp(symbols.names + symbol.st_name, name) == 0) {
            return map->l_addr + symbol.st_value;
        }
        if ((entry & 1) != 0) {
            return 0;
        }
    }
    return 0;
}

bool open_loader_view() {
    loader = find_loader();
    if (loader == nullptr) {
        return false;
    }
    for (const link_map* map = loader->r_map; map != nullptr && lock_free_find == nullptr; map = map->l_next) {
        if (is_libc(map->l_name)) {
            lock_free_find = reinterpret_cast<FindObject>(find_symbol(map, "_dl_find_object"));
        }
    }
    return true;
}

bool find_object(uintptr_t address, LoadedObject* object) {
    if (lock_free_find != nullptr && !link_map_only) {
        FoundObject found;
        if (lock_free_find(reinterpret_cast<void*>(address), &found) != 0 || found.map == nullptr) {
            return false;
        }
        // Of an object with holes this is the range of one segment.
        object->place = {header_of(*loader, *found.map), reinterpret_cast<uintptr_t>(found.map_start),
                         reinterpret_cast<uintptr_t>(found.map_end), found.map->l_addr,
                         reinterpret_cast<uintptr_t>(found.frame_header)};
        object->map = found.map;
        return true;
    }
    return loader != nullptr && find_in_object_list(*loader, address, object);
}

const link_map* find_map(uintptr_t address) {
    if (lock_free_find != nullptr && !link_map_only) {
        FoundObject found;
        return lock_free_find(reinterpret_cast<void*>(address), &found) == 0 ? found.map : nullptr;
    }
    LoadedObject object;
    return find_object(address, &object) ? object.map : nullptr;
}

bool has_lock_free_look_up() {
    return lock_free_find != nullptr;
}

void use_link_map_only(bool only) {
    link_map_only = only;
}

}  // namespace nh::unwind
