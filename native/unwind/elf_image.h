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
    uintptr_t entry;         // 0: none
    uintptr_t frame_header;  // .eh_frame_hdr, 0: none
    uintptr_t dynamic;       // 0: none
    uint32_t segment_count;  // readable PT_LOAD segments
    uint32_t build_id_length;
    Segment segments[most_segments];
    uint8_t build_id[most_build_id];

    // The end of the readable segment that holds the address; 0 when none does.
    uintptr_t segment_end(uintptr_t address) const;
};

// Reads the image whose ELF header is mapped at `header`. False when there is none that makes sense. Every offset in
// it is checked against the readable segments before it is followed.
bool describe_image(uintptr_t header, ElfImage* image);

}  // namespace nh::unwind
