#include "native/interpose/changed_module.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>

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

}  // namespace

Module::Module(const dl_phdr_info& info) : base_(info.dlpi_addr), headers_(info.dlpi_phdr), count_(info.dlpi_phnum) {
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

bool Module::apply(const Changes& changes) {
    apply_to(changes, relocations_, relocation_bytes_);
    apply_to(changes, slots_, slot_bytes_);
    apply_to_symbols(changes);
    if (base_ == getauxval(AT_BASE)) {
        apply_to_words(changes, relro_, relro_end_);
    }
    return good_;
}

void Module::apply_to_symbols(const Changes& changes) {
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

void Module::bind_own_calls(const Changes& back) {
    bind_own_calls(back, relocations_, relocation_bytes_);
    bind_own_calls(back, slots_, slot_bytes_);
}

void Module::read_dynamic(ElfW(Dyn) * dynamic) {
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

const ElfW(Phdr) * Module::segment_of(uintptr_t address, size_t bytes) const {
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

void Module::apply_to(const Changes& changes, const ElfW(Rela) * table, size_t bytes) {
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

void Module::bind_own_calls(const Changes& back, const ElfW(Rela) * table, size_t bytes) {
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

void Module::apply_to_words(const Changes& changes, uintptr_t start, uintptr_t end) {
    for (uintptr_t at = (start + 7) & ~uintptr_t{7}; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t)) {
        apply_to_word(changes, at, nullptr);
    }
}

void Module::apply_to_word(const Changes& changes, uintptr_t at, const char* name) {
    if (at % sizeof(uintptr_t) != 0 || segment_of(at, sizeof(uintptr_t)) == nullptr) {
        return;
    }
    uintptr_t word = __atomic_load_n(reinterpret_cast<const uintptr_t*>(at), __ATOMIC_RELAXED);
    const Change* change = changes.may_hold(word) ? changes.find(word, name) : nullptr;
    if (change != nullptr && (change->owner == 0 || change->owner != base_)) {
        write(at, change->to);
    }
}

void Module::write(uintptr_t at, uintptr_t word) {
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

int Module::protection(const ElfW(Phdr) & segment) {
    return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
           ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

bool Module::protect(uintptr_t start, size_t bytes, int protection) {
    return kernel::call(SYS_mprotect, static_cast<long>(start), static_cast<long>(bytes), protection) == 0;
}

bool Module::open_relro() {
    relro_open_ = relro_open_ || protect(relro_, relro_end_ - relro_, PROT_READ | PROT_WRITE);
    return relro_open_;
}

void Module::close_relro() {
    if (relro_open_) {
        protect(relro_, relro_end_ - relro_, PROT_READ);
    }
}

}  // namespace nh::interpose
