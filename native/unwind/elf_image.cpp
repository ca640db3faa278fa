#include "native/unwind/elf_image.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

#include "native/unwind/byte_reader.h"
#include "native/unwind/stack_window.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_program_headers = 64;
constexpr uintptr_t most_searched = uintptr_t{128} << 20;  // bytes of a mapped range

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

bool range_readable(uintptr_t start, uintptr_t bytes) {
    return page_readable(start) && page_readable(start + bytes - 1);
}

// The program headers' address, if they are mapped there: one of them must describe the place itself.
bool are_headers(uintptr_t address, const Elf64_Ehdr& header, uintptr_t bias) {
    if (!range_readable(address, header.e_phnum * sizeof(Elf64_Phdr))) {
        return false;
    }
    auto headers = reinterpret_cast<const Elf64_Phdr*>(address);
    for (uint32_t i = 0; i < header.e_phnum; ++i) {
        const Elf64_Phdr& part = headers[i];
        if (part.p_type == PT_LOAD && header.e_phoff >= part.p_offset &&
            header.e_phoff - part.p_offset < part.p_filesz &&
            bias + part.p_vaddr + (header.e_phoff - part.p_offset) == address) {
            return true;
        }
    }
    return false;
}

// Nearly always just behind the ELF header. Tools that move them put them into a segment of their own behind all
// others, at a file offset that tells the place within the page.
uintptr_t find_headers(const Elf64_Ehdr& header, const ImagePlace& place) {
    if (are_headers(place.header + header.e_phoff, header, place.bias)) {
        return place.header + header.e_phoff;
    }
    const uintptr_t within = header.e_phoff & (page_bytes - 1);
    const uintptr_t end = place.end > place.header ? place.end : place.header + most_searched;
    if (end - place.header > most_searched) {
        return 0;
    }
    for (uintptr_t page = place.header + page_bytes; page < end; page += page_bytes) {
        if (are_headers(page + within, header, place.bias)) {
            return page + within;
        }
    }
    return 0;
}

void read_headers(const Elf64_Phdr* headers, uint32_t count, ElfImage* image) {
    for (uint32_t i = 0; i < count; ++i) {
        const Elf64_Phdr& part = headers[i];
        const uintptr_t start = image->bias + part.p_vaddr;
        if (part.p_type != PT_LOAD || part.p_memsz >= uintptr_t{1} << 46) {
            continue;
        }
        image->start = start < image->start ? start & ~(page_bytes - 1) : image->start;
        image->end = start + part.p_memsz > image->end ? start + part.p_memsz : image->end;
        if ((part.p_flags & PF_R) != 0 && part.p_filesz != 0 && part.p_filesz <= part.p_memsz &&
            image->segment_count < ElfImage::most_segments && range_readable(start, part.p_filesz)) {
            image->segments[image->segment_count++] = {start, start + part.p_filesz};
        }
    }
    for (uint32_t i = 0; i < count; ++i) {
        const uintptr_t start = image->bias + headers[i].p_vaddr;
        if (image->segment_end(start) == 0) {
            continue;
        }
        if (headers[i].p_type == PT_GNU_EH_FRAME) {
            image->frame_header = start;
        } else if (headers[i].p_type == PT_NOTE && image->build_id_length == 0) {
            find_build_id(start, headers[i].p_memsz, image);
        }
    }
}

// Without program headers: the readable pages around the call-frame header.
bool guess_segment(const ImagePlace& place, ElfImage* image) {
    if (place.frame_header < place.start || place.frame_header >= place.end ||
        place.end - place.start > most_searched || !page_readable(place.frame_header)) {
        return false;
    }
    uintptr_t low = place.frame_header & ~(page_bytes - 1);
    uintptr_t high = low + page_bytes;
    while (low > place.start && page_readable(low - page_bytes)) {
        low -= page_bytes;
    }
    while (high < place.end && page_readable(high)) {
        high += page_bytes;
    }
    image->segments[0] = {low, high};
    image->segment_count = 1;
    image->frame_header = place.frame_header;
    return true;
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

bool describe_image(const ImagePlace& place, ElfImage* image) {
    memset(image, 0, sizeof(*image));
    image->start = place.end == 0 || place.header < place.start ? place.header : place.start;
    image->end = place.end;
    image->bias = place.bias;
    if ((place.header & (page_bytes - 1)) != 0 || !page_readable(place.header)) {
        return guess_segment(place, image);
    }
    const Elf64_Ehdr& header = *reinterpret_cast<const Elf64_Ehdr*>(place.header);
    const bool sensible = memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
                          header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phnum != 0 &&
                          header.e_phnum <= most_program_headers;
    const uintptr_t headers = sensible ? find_headers(header, place) : 0;
    if (headers == 0) {
        return guess_segment(place, image);
    }
    read_headers(reinterpret_cast<const Elf64_Phdr*>(headers), header.e_phnum, image);
    // Shared libraries may name an entry that nobody ever enters.
    const uintptr_t entry = image->bias + header.e_entry;
    if (entry == getauxval(AT_ENTRY) || place.header == getauxval(AT_BASE)) {
        image->entry = entry;
    }
    return true;
}

}  // namespace nh::unwind
