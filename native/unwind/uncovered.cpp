#include "native/unwind/uncovered.h"

#include <string.h>

#include "native/unwind/call_frames.h"

namespace nh::unwind {
namespace {

constexpr uintptr_t most_entry_code = 256;

}  // namespace

bool is_signal_return(const ElfImage& image, uintptr_t pc) {
    const uintptr_t end = image.segment_end(pc);
    return end != 0 && end - pc >= sizeof(signal_return_code) &&
           memcmp(reinterpret_cast<const void*>(pc), signal_return_code, sizeof(signal_return_code)) == 0;
}

bool is_bare_signal_return(uintptr_t pc) {
    return signal_return_may_lie_bare && page_readable(pc) && page_readable(pc + sizeof(signal_return_code) - 1) &&
           memcmp(reinterpret_cast<const void*>(pc), signal_return_code, sizeof(signal_return_code)) == 0;
}

bool is_planted(const ElfImage& image, uintptr_t pc) {
    FrameDescription description;
    if (!find_description(image, pc, &description) || description.start != pc ||
        image.segment_end(pc - most_call_bytes) <= pc) {
        return false;
    }
    return !is_call_before(pc);
}

bool is_root(const ElfImage& image, uintptr_t pc) {
    return (image.entry != 0 && pc > image.entry && pc - image.entry <= most_entry_code) || is_planted(image, pc) ||
           hands_result_to_exit(image, pc);
}

}  // namespace nh::unwind
