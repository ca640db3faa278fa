#include "native/process/program_symbol.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "native/process/elf_lookup.h"
#include "native/transport/kernel.h"

namespace nh::process {
namespace {

namespace kernel = transport::kernel;

// The program's file, mapped. It cannot shrink: the kernel lets nobody write to a file that is being executed.
class ProgramFile {
  public:
    ProgramFile() {
        long file = kernel::call(SYS_openat, AT_FDCWD, kernel::address("/proc/self/exe"), O_RDONLY | O_CLOEXEC);
        if (file < 0) {
            return;
        }
        long bytes = kernel::call(SYS_lseek, file, 0, SEEK_END);
        void* mapped = bytes <= 0 ? nullptr
                                  : kernel::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ, MAP_PRIVATE,
                                                 static_cast<int>(file));
        if (mapped != nullptr && !kernel::is_error(mapped)) {
            start_ = static_cast<const uint8_t*>(mapped);
            bytes_ = static_cast<uint64_t>(bytes);
        }
        kernel::close(static_cast<int>(file));
    }
    ~ProgramFile() {
        if (start_ != nullptr) {
            kernel::munmap(const_cast<uint8_t*>(start_), bytes_);
        }
    }
    ProgramFile(const ProgramFile&) = delete;
    ProgramFile& operator=(const ProgramFile&) = delete;

    // Null when they are not all in the file.
    template <typename Item>
    const Item* items(uint64_t offset, uint64_t count) const {
        bool fits = offset <= bytes_ && count <= (bytes_ - offset) / sizeof(Item);
        return fits && offset % alignof(Item) == 0 ? reinterpret_cast<const Item*>(start_ + offset) : nullptr;
    }

  private:
    const uint8_t* start_ = nullptr;
    uint64_t bytes_ = 0;
};

// Address at link time. Most programs define no such function, and then their names are all that is read.
uint64_t find_symbol(const ProgramFile& file, const ElfW(Shdr) & table, const ElfW(Shdr) & strings, const char* name) {
    const uint64_t name_bytes = strlen(name) + 1;
    const auto* names = file.items<char>(strings.sh_offset, strings.sh_size);
    if (names == nullptr || memmem(names, strings.sh_size, name, name_bytes) == nullptr) {
        return 0;
    }
    const uint64_t count = table.sh_size / sizeof(ElfW(Sym));
    const auto* symbols = file.items<ElfW(Sym)>(table.sh_offset, count);
    for (uint64_t i = 0; symbols != nullptr && i < count; i++) {
        const ElfW(Sym)& symbol = symbols[i];
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF && symbol.st_name != 0 &&
            symbol.st_name < strings.sh_size && strings.sh_size - symbol.st_name >= name_bytes &&
            memcmp(names + symbol.st_name, name, name_bytes) == 0) {
            return symbol.st_value;
        }
    }
    return 0;
}

}  // namespace

uintptr_t find_program_function(const char* name) {
    const link_map* program = loaded_libraries();
    const ProgramFile file;
    const auto* header = file.items<ElfW(Ehdr)>(0, 1);
    const auto* sections = header == nullptr || header->e_shentsize != sizeof(ElfW(Shdr))
                               ? nullptr
                               : file.items<ElfW(Shdr)>(header->e_shoff, header->e_shnum);
    for (uint32_t i = 0; program != nullptr && sections != nullptr && i < header->e_shnum; i++) {
        if (sections[i].sh_type == SHT_SYMTAB && sections[i].sh_link < header->e_shnum) {
            uint64_t found = find_symbol(file, sections[i], sections[sections[i].sh_link], name);
            return found == 0 ? 0 : program->l_addr + found;
        }
    }
    return 0;
}

}  // namespace nh::process
