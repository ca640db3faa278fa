// A call to malloc goes through a word that the loader has filled in: a slot of the module's GOT, or a variable that
// was initialised with malloc's address. It is ours when it holds that address; a word that was never bound (lazy
// binding), or holds another allocator's function, or was changed by the program, is left alone. Modules that are
// loaded or bound later find our functions, because the symbols of the real ones then say so: in this process's private
// copy of the library's symbol table, whose page is no longer the file's.
//
// What the loader itself calls is in words of its own that no relocation names.
#include "native/interpose/late_hooks.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <initializer_list>

#include "native/interpose/extensions.h"
#include "native/interpose/loader_lock.h"
#include "native/interpose/mappings.h"
#include "native/interpose/real.h"
#include "native/interpose/signal_actions.h"
#include "native/process/elf_lookup.h"
#include "native/process/errno_scope.h"
#include "native/process/session.h"
#include "native/transport/kernel.h"

namespace nh::interpose {
namespace {

namespace kernel = transport::kernel;

#if defined(__x86_64__)
constexpr uint32_t word_relocation = R_X86_64_64;
constexpr uint32_t data_relocation = R_X86_64_GLOB_DAT;
constexpr uint32_t call_relocation = R_X86_64_JUMP_SLOT;
constexpr uint32_t copy_relocation = R_X86_64_COPY;
#elif defined(__aarch64__)
constexpr uint32_t word_relocation = R_AARCH64_ABS64;
constexpr uint32_t data_relocation = R_AARCH64_GLOB_DAT;
constexpr uint32_t call_relocation = R_AARCH64_JUMP_SLOT;
constexpr uint32_t copy_relocation = R_AARCH64_COPY;
#endif

constexpr uint32_t most_versions = 8;
constexpr uint32_t most_changes = most_detours + most_extensions + most_signal_detours;
static_assert(most_changes >= most_mapping_detours);

struct Change {
    const char* name;
    uintptr_t from;
    uintptr_t to;
    uintptr_t owner;  // as Detour's
};

class Changes {
  public:
    void add(const char* name, uintptr_t from, uintptr_t to, uintptr_t owner) {
        list_[count_++] = {name, from, to, owner};
        least_ = from < least_ ? from : least_;
        most_ = from > most_ ? from : most_;
    }
    const Change* begin() const { return list_; }
    const Change* end() const { return list_ + count_; }

    // Hardly any other word passes.
    bool may_hold(uintptr_t word) const { return word - least_ <= most_ - least_ && count_ != 0; }

    // Libc has one address for several names (aligned_alloc and memalign up to 2.37).
    const Change* find(uintptr_t word, const char* name) const {
        for (const Change& change : *this) {
            if (change.from == word && (name == nullptr || strcmp(change.name, name) == 0)) {
                return &change;
            }
        }
        return nullptr;
    }

    bool has(const char* name) const {
        for (const Change& change : *this) {
            if (strcmp(change.name, name) == 0) {
                return true;
            }
        }
        return false;
    }

  private:
    Change list_[most_changes];
    uint32_t count_ = 0;
    uintptr_t least_ = ~uintptr_t{0};
    uintptr_t most_ = 0;
};

// One module under change. Everything of it is mapped as long as the loader's lock is held.
class Module {
  public:
    explicit Module(const dl_phdr_info& info)
        : base_(info.dlpi_addr), headers_(info.dlpi_phdr), count_(info.dlpi_phnum) {
        for (uint32_t i = 0; i < count_; i++) {
            const ElfW(Phdr)& header = headers_[i];
            if (header.p_type == PT_DYNAMIC) {
                read_dynamic(reinterpret_cast<ElfW(Dyn)*>(base_ + header.p_vaddr));
            } else if (header.p_type == PT_GNU_RELRO) {
                // As the loader rounds it (_dl_protect_relro): what shares its last page stays writable.
                relro_ = (base_ + header.p_vaddr) & ~(page - 1);
                relro_end_ = (base_ + header.p_vaddr + header.p_memsz) & ~(page - 1);
            }
        }
    }
    ~Module() { close_relro(); }
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    // False: something could not be written.
    bool apply(const Changes& changes) {
        apply_to(changes, relocations_, relocation_bytes_);
        apply_to(changes, slots_, slot_bytes_);
        apply_to_symbols(changes);
        if (base_ == getauxval(AT_BASE)) {
            apply_to_words(changes, relro_, relro_end_);
        }
        return good_;
    }

    void apply_to_symbols(const Changes& changes) {
        for (const Change& change : changes) {
            const ElfW(Sym) * found[most_versions];
            uint32_t count = process::find_symbols(&map_, change.name, found, most_versions);
            for (uint32_t i = 0; i < count; i++) {
                if (base_ + found[i]->st_value == change.from && ELF64_ST_TYPE(found[i]->st_info) == STT_FUNC) {
                    write(reinterpret_cast<uintptr_t>(&found[i]->st_value), change.to - base_);
                }
            }
        }
    }

    // Binds what it calls of its own by a changed name, where that is ours or not bound yet.
    void bind_own_calls(const Changes& back) {
        bind_own_calls(back, relocations_, relocation_bytes_);
        bind_own_calls(back, slots_, slot_bytes_);
    }

    bool is_this_library() const { return process::is_this_library(&map_); }

  private:
    static constexpr uintptr_t page = 4096;

    void read_dynamic(ElfW(Dyn) * dynamic) {
        map_.l_addr = base_;
        map_.l_ld = dynamic;
        for (const ElfW(Dyn)* entry = dynamic; entry->d_tag != DT_NULL; entry++) {
            uintptr_t value = entry->d_un.d_ptr;
            uintptr_t at = value < base_ ? value + base_ : value;  // the vDSO's are not relocated
            switch (entry->d_tag) {
                case DT_RELA:
                    relocations_ = reinterpret_cast<const ElfW(Rela)*>(at);
                    break;
                case DT_RELASZ:
                    relocation_bytes_ = value;
                    break;
                case DT_JMPREL:
                    slots_ = reinterpret_cast<const ElfW(Rela)*>(at);
                    break;
                case DT_PLTRELSZ:
                    slot_bytes_ = value;
                    break;
                case DT_SYMTAB:
                    symbols_ = reinterpret_cast<const ElfW(Sym)*>(at);
                    break;
                case DT_STRTAB:
                    names_ = reinterpret_cast<const char*>(at);
                    break;
            }
        }
    }

    // The segment that holds the bytes, null when none does.
    const ElfW(Phdr) * segment_of(uintptr_t address, size_t bytes) const {
        for (uint32_t i = 0; i < count_; i++) {
            const ElfW(Phdr)& header = headers_[i];
            uintptr_t start = base_ + header.p_vaddr;
            if (header.p_type == PT_LOAD && address >= start && bytes <= header.p_memsz &&
                address - start <= header.p_memsz - bytes) {
                return &header;
            }
        }
        return nullptr;
    }

    void apply_to(const Changes& changes, const ElfW(Rela) * table, size_t bytes) {
        if (table == nullptr || symbols_ == nullptr || names_ == nullptr) {
            return;
        }
        for (size_t i = 0; i < bytes / sizeof(*table); i++) {
            const ElfW(Rela)& relocation = table[i];
            const ElfW(Sym)& symbol = symbols_[ELF64_R_SYM(relocation.r_info)];
            uintptr_t at = base_ + relocation.r_offset;
            switch (ELF64_R_TYPE(relocation.r_info)) {
                case word_relocation:
                    if (relocation.r_addend != 0) {
                        break;
                    }
                    [[fallthrough]];
                case data_relocation:
                case call_relocation:
                    apply_to_word(changes, at, names_ + symbol.st_name);
                    break;
                case copy_relocation:  // a library's variable that the program has its own copy of
                    if (segment_of(at, symbol.st_size) != nullptr) {
                        apply_to_words(changes, at, at + symbol.st_size);
                    }
                    break;
            }
        }
    }

    void bind_own_calls(const Changes& back, const ElfW(Rela) * table, size_t bytes) {
        for (size_t i = 0; table != nullptr && i < bytes / sizeof(*table); i++) {
            const ElfW(Sym)& symbol = symbols_[ELF64_R_SYM(table[i].r_info)];
            uintptr_t at = base_ + table[i].r_offset, type = ELF64_R_TYPE(table[i].r_info);
            bool calls_itself = (type == call_relocation || type == data_relocation) && symbol.st_shndx != SHN_UNDEF &&
                                ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
            if (!calls_itself || !back.has(names_ + symbol.st_name) || segment_of(at, sizeof(uintptr_t)) == nullptr) {
                continue;
            }
            uintptr_t word = __atomic_load_n(reinterpret_cast<const uintptr_t*>(at), __ATOMIC_RELAXED);
            if (segment_of(word, 1) != nullptr || back.find(word, nullptr) != nullptr) {
                write(at, base_ + symbol.st_value);
            }
        }
    }

    void apply_to_words(const Changes& changes, uintptr_t start, uintptr_t end) {
        for (uintptr_t at = (start + 7) & ~uintptr_t{7}; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t)) {
            apply_to_word(changes, at, nullptr);
        }
    }

    void apply_to_word(const Changes& changes, uintptr_t at, const char* name) {
        if (at % sizeof(uintptr_t) != 0 || segment_of(at, sizeof(uintptr_t)) == nullptr) {
            return;
        }
        uintptr_t word = __atomic_load_n(reinterpret_cast<const uintptr_t*>(at), __ATOMIC_RELAXED);
        const Change* change = changes.may_hold(word) ? changes.find(word, name) : nullptr;
        if (change != nullptr && (change->owner == 0 || change->owner != base_)) {
            write(at, change->to);
        }
    }

    // In one piece, for other threads read it meanwhile.
    void write(uintptr_t at, uintptr_t word) {
        const ElfW(Phdr)* segment = segment_of(at, sizeof(word));
        if (segment == nullptr) {
            good_ = false;
            return;
        }
        bool in_relro = at >= relro_ && at < relro_end_;
        bool writable = in_relro ? open_relro() : (segment->p_flags & PF_W) != 0;
        bool opened = !writable && !in_relro && protect(at & ~(page - 1), page, protection(*segment) | PROT_WRITE);
        if (writable || opened) {
            __atomic_store_n(reinterpret_cast<uintptr_t*>(at), word, __ATOMIC_RELEASE);
        } else {
            good_ = false;
        }
        if (opened) {
            protect(at & ~(page - 1), page, protection(*segment));
        }
    }

    static int protection(const ElfW(Phdr) & segment) {
        return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
               ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
    }

    static bool protect(uintptr_t start, size_t bytes, int protection) {
        return kernel::call(SYS_mprotect, static_cast<long>(start), static_cast<long>(bytes), protection) == 0;
    }

    bool open_relro() {
        relro_open_ = relro_open_ || protect(relro_, relro_end_ - relro_, PROT_READ | PROT_WRITE);
        return relro_open_;
    }

    void close_relro() {
        if (relro_open_) {
            protect(relro_, relro_end_ - relro_, PROT_READ);
        }
    }

    const uintptr_t base_;
    const ElfW(Phdr) * const headers_;
    const uint32_t count_;
    link_map map_ = {};
    const ElfW(Rela) * relocations_ = nullptr;
    const ElfW(Rela) * slots_ = nullptr;
    size_t relocation_bytes_ = 0;
    size_t slot_bytes_ = 0;
    const ElfW(Sym) * symbols_ = nullptr;
    const char* names_ = nullptr;
    uintptr_t relro_ = 0;
    uintptr_t relro_end_ = 0;
    bool relro_open_ = false;
    bool good_ = true;
};

struct Pass {
    const Changes& changes;
    bool good;
};

int apply_to_module(dl_phdr_info* info, size_t, void* argument) {
    auto* pass = static_cast<Pass*>(argument);
    Module module(*info);
    if (!module.is_this_library()) {
        pass->good &= module.apply(pass->changes);
    }
    return 0;
}

bool apply(const Changes& changes) {
    Pass pass = {changes, true};
    dl_iterate_phdr(apply_to_module, &pass);
    return pass.good;
}

struct Detours {
    Detour list[most_changes];
    uint32_t count;

    Changes back() const {
        Changes changes;
        for (uint32_t i = 0; i < count; i++) {
            changes.add(list[i].name, list[i].own, list[i].real, 0);
        }
        return changes;
    }
    void add_those_that(Effect effect, Changes* changes) const {
        for (uint32_t i = 0; i < count; i++) {
            if (list[i].effect == effect) {
                changes->add(list[i].name, list[i].real, list[i].own, list[i].owner);
            }
        }
    }
    bool good;
};

void unhook(void* argument) {
    auto* detours = static_cast<Detours*>(argument);
    apply(detours->back());
}

bool in_main_program(uintptr_t address) {
    const auto* headers = reinterpret_cast<const ElfW(Phdr)*>(getauxval(AT_PHDR));
    uintptr_t bias = process::loaded_libraries()->l_addr;
    for (uintptr_t i = 0; headers != nullptr && i < getauxval(AT_PHNUM); i++) {
        if (headers[i].p_type == PT_LOAD && address - bias - headers[i].p_vaddr < headers[i].p_memsz) {
            return true;
        }
    }
    return false;
}

// Filled in once, while the symbols still name the real functions.
Detours detours;
Detours mapping_detours;

bool is_owner(const Detours& of, uintptr_t base) {
    for (uint32_t i = 0; i < of.count; i++) {
        if (of.list[i].owner == base && base != 0) {
            return true;
        }
    }
    return false;
}

// Appends what allocators offer beyond C's functions. What calls such an allocator makes to itself is its own affair,
// by C's names too.
void add_extensions(Detours* to) {
    Detour extensions[most_extensions];
    uint32_t before = to->count, count = list_extensions(extensions);
    for (uint32_t i = 0; i < count; i++) {
        to->list[to->count++] = extensions[i];
    }
    const link_map* library = count != 0 ? process::loaded_libraries() : nullptr;
    for (; library != nullptr; library = library->l_next) {
        for (uint32_t i = 0; i < before && is_owner(*to, library->l_addr); i++) {
            if (process::find_function(library, to->list[i].name) == to->list[i].real) {
                to->list[i].owner = library->l_addr;
            }
        }
    }
}

void add_signals(Detours* to) {
    Detour signals[most_signal_detours];
    uint32_t count = list_signal_detours(signals);
    for (uint32_t i = 0; i < count; i++) {
        to->list[to->count++] = signals[i];
    }
}

// Before its symbols are changed.
int bind_own_calls(dl_phdr_info* info, size_t, void*) {
    if (is_owner(detours, info->dlpi_addr)) {
        Changes back = detours.back();
        Detour standard[most_detours];
        uint32_t count = process::came_with_program() ? list_detours(standard) : 0;  // else they are among the others
        for (uint32_t i = 0; i < count; i++) {
            back.add(standard[i].name, standard[i].own, standard[i].real, 0);
        }
        Module(*info).bind_own_calls(back);
    }
    return 0;
}

// The last pass goes through everything once more: a slot may have been bound by a thread that had looked the symbol up
// before it was changed.
void direct(void* argument) {
    auto* detours = static_cast<Detours*>(argument);
    Changes changes;
    detours->good = true;
    for (Effect effect : {Effect::frees, Effect::resizes, Effect::allocates}) {
        detours->add_those_that(effect, &changes);
        detours->good = detours->good && apply(changes);
    }
    detours->good = detours->good && apply(changes);
    if (!detours->good) {
        apply(detours->back());
    }
}

void hook(void* argument) {
    dl_iterate_phdr(bind_own_calls, nullptr);
    direct(argument);
}

// For what other libraries allocate in their constructors the first call of ours is early enough, and mostly there.
__attribute__((constructor)) void hook_extensions_before_main() {
    process::ErrnoScope keep;
    real();
    if (process::came_with_program()) {
        process::start_once();
    }
    hook_extensions();
}

}  // namespace

bool program_has_own_allocator() {
    return in_main_program(reinterpret_cast<uintptr_t>(real().malloc));
}

bool hook_modules() {
    if (detours.count == 0) {
        Detour standard[most_detours];
        detours.count = list_detours(standard);
        memcpy(detours.list, standard, detours.count * sizeof(Detour));
        add_extensions(&detours);
        add_signals(&detours);
    }
    return under_loader_lock(hook, &detours) && detours.good;
}

void hook_extensions() {
    static bool begun;
    if (process::came_with_program() && process::all_are_ready() &&
        !__atomic_exchange_n(&begun, true, __ATOMIC_RELAXED)) {
        add_extensions(&detours);
        if (detours.count != 0) {
            hook(&detours);
        }
    }
    static bool begun_mappings;
    if (process::came_with_program() && records_mappings() && process::all_are_ready() &&
        !__atomic_exchange_n(&begun_mappings, true, __ATOMIC_RELAXED)) {
        mapping_detours.count = list_mapping_detours(mapping_detours.list);
        direct(&mapping_detours);
    }
}

bool hook_mappings() {
    if (!records_mappings()) {
        return true;
    }
    if (mapping_detours.count == 0) {
        mapping_detours.count = list_mapping_detours(mapping_detours.list);
    }
    return under_loader_lock(direct, &mapping_detours) && mapping_detours.good;
}

// Words stay as they are, those of a library that another thread is loading above all. Threads that come at once go
// through the modules one after the other, and a later one finds done what was done.
void hook_own_scopes() {
    if (!process::came_with_program() || !process::is_glibc()) {
        return;
    }
    Changes changes;
    Detour standard[most_detours];
    uint32_t count = list_detours(standard);
    for (uint32_t i = 0; i < count; i++) {
        changes.add(standard[i].name, standard[i].real, standard[i].own, 0);
    }
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* argument) {
            Module module(*info);
            if (!module.is_this_library()) {
                module.apply_to_symbols(*static_cast<const Changes*>(argument));
            }
            return 0;
        },
        &changes);
}

void unhook_modules() {
    for (Detours* ours : {&mapping_detours, &detours}) {
        if (ours->count != 0) {
            under_loader_lock(unhook, ours);
        }
    }
}

}  // namespace nh::interpose
