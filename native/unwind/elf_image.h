// What the unwinder needs of an ELF file as it lies mapped: segments, entry point, build id, call-frame header.
#pragma once
#include <stdint.h>

namespace nh::unwind {

struct Segment {
    uintptr_t start, end;
};

struct ElfImage {
    static constexpr uint32_t most_segments = 12;
    static constexpr uint32_t most_build_id = 32;

    uintptr_t start, end;    // first mapped address, one past the last
    uintptr_t bias;          // address - bias = ELF virtual address
    uintptr_t entry;         // where the kernel starts the program or its loader, 0: not in this image
    uintptr_t frame_header;  // .eh_frame_hdr, 0: none
    uint32_t segment_count;  // readable PT_LOAD segments
    uint32_t build_id_length;
    Segment segments[most_segments];
    uint8_t build_id[most_build_id];

    // The end of the readable segment that holds the address; 0 when none does.
    uintptr_t segment_end(uintptr_t address) const;
};

// Where a module is mapped, as far as the loader says.
struct ImagePlace {
    uintptr_t header;      // its ELF header, by which it is known
    uintptr_t start, end;  // the mapped range, or a part of it; end 0: not known
    uintptr_t bias;
    uintptr_t frame_header;  // 0: not known
};

// Reads the image mapped there. Every offset in it is checked against the readable segments before it is followed.
// Program headers that a tool moved (patchelf, BOLT) are searched for in the range; when they cannot be found, what can
// be read around frame_header is taken for the only segment. False when nothing makes sense.
bool describe_image(const ImagePlace& place, ElfImage* image);

}  // namespace nh::unwind
