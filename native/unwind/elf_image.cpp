#include "native/unwind/elf_image.h"

#include <elf.h>
#include <string.h>

#include "native/unwind/byte_reader.h"
#include "native/unwind/stack_window.h"

namespace nh::unwind {
namespace {

// Program headers are looked for in the header's own page: no linker puts them elsewhere.
constexpr uint32_t most_program_headers = (page_bytes - sizeof(Elf64_Ehdr)) / sizeof(Elf64_Phdr);

void find_build_id(uintptr_t start, uintptr_t size, ElfImage* image) {
    const uintptr_t limit = image->segment_end(start);
    if (limit == 0 || limit - start < size) {
        return;
    }
    ByteReader notes(start, start + size);
    while (!notes.done()) {
        auto name_size = notes.read<uint32_t>();
        auto description_size = notes.read<uint32_t>();
        auto type = notes.read<uint32_t>();
        const uintptr_t name = notes.at();
        notes.skip((uint64_t{name_size} + 3) & ~uint64_t{3});
        const uintptr_t description = notes.at();
        notes.skip((uint64_t{description_size} + 3) & ~uint64_t{3});
        if (!notes.ok()) {
            return;
        }
        if (type == NT_GNU_BUILD_ID && name_size == 4 && memcmp(reinterpret_cast<const void*>(name), "GNU", 4) == 0) {
            image->build_id_length =
                description_size < ElfImage::most_build_id ? description_size : ElfImage::most_build_id;
            memcpy(image->build_id, reinterpret_cast<const void*>(description), image->build_id_length);
            return;
        }
    }
}

}  // namespace

uintptr_t ElfImage::segment_end(uintptr_t address) const {
    for (uint32_t i = 0; i < segment_count; ++i) {
        if (address >= segments[i].start && address < segments[i].end) {
            return segments[i].end;
        }
    }
    return 0;
}

bool describe_image(uintptr_t header_address, ElfImage* image) {
    memset(image, 0, sizeof(*image));
    if ((header_address & (page_bytes - 1)) != 0 || !page_readable(header_address)) {
        return false;
    }
    auto header = reinterpret_cast<const Elf64_Ehdr*>(header_address);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum > most_program_headers ||
        header->e_phoff > page_bytes - header->e_phnum * sizeof(Elf64_Phdr)) {
        return false;
    }
    auto headers = reinterpret_cast<const Elf64_Phdr*>(header_address + header->e_phoff);
    const Elf64_Phdr* first = nullptr;
    for (uint32_t i = 0; i < header->e_phnum && first == nullptr; ++i) {
        if (headers[i].p_type == PT_LOAD) {
            first = &headers[i];
        }
    }
    if (first == nullptr) {
        return false;
    }
    image->bias = header_address - (first->p_vaddr & ~(page_bytes - 1));
    image->start = header_address;
    for (uint32_t i = 0; i < header->e_phnum; ++i) {
        const Elf64_Phdr& part = headers[i];
        const uintptr_t start = image->bias + part.p_vaddr;
        if (part.p_type == PT_LOAD && part.p_memsz < (uintptr_t{1} << 46)) {
            if (start + part.p_memsz > image->end) {
                image->end = start + part.p_memsz;
            }
            if ((part.p_flags & PF_R) != 0 && image->segment_count < ElfImage::most_segments) {
                image->segments[image->segment_count++] = {start, start + part.p_filesz};
            }
        }
    }
    for (uint32_t i = 0; i < header->e_phnum; ++i) {
        const uintptr_t start = image->bias + headers[i].p_vaddr;
        if (image->segment_end(start) == 0) {
            continue;
        }
        if (headers[i].p_type == PT_GNU_EH_FRAME) {
            image->frame_header = start;
        } else if (headers[i].p_type == PT_DYNAMIC) {
            image->dynamic = start;
        } else if (headers[i].p_type == PT_NOTE && image->build_id_length == 0) {
            find_build_id(start, headers[i].p_memsz, image);
        }
    }
    image->entry = header->e_entry == 0 ? 0 : image->bias + header->e_entry;
    return true;
}

}  // namespace nh::unwind
