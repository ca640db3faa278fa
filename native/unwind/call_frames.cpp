#include "native/unwind/call_frames.h"

#include <string.h>

#include "native/unwind/byte_reader.h"

namespace nh::unwind {
namespace {

constexpr uint8_t omitted = 0xFF;
constexpr uint8_t sorted_table = 0x3B;   // data-relative, signed 32 bits: what every linker writes
constexpr uint32_t most_remembered = 4;  // DW_CFA_remember_state; compilers nest once

struct CommonPart {
    uint64_t code_alignment;
    int64_t data_alignment;
    uintptr_t instructions, end;
    uint8_t pointer_encoding;
    bool has_data;
    bool signal_frame;
};

// Start of the record's body (after the length) and its end.
bool read_length(ByteReader& reader, uintptr_t* end) {
    uint64_t length = reader.read<uint32_t>();
    if (length == 0xFFFFFFFF) {
        length = reader.read<uint64_t>();
    }
    if (!reader.ok() || length == 0 || reader.end() - reader.at() < length) {
        return false;
    }
    *end = reader.at() + length;
    return true;
}

bool read_common_part(const ElfImage& image, uintptr_t at, CommonPart* part) {
    *part = {};
    ByteReader header(at, image.segment_end(at));
    if (!read_length(header, &part->end)) {
        return false;
    }
    ByteReader reader(header.at(), part->end);
    auto id = reader.read<uint32_t>();
    auto version = reader.read<uint8_t>();
    const char* augmentation = reinterpret_cast<const char*>(reader.at());
    while (reader.read<uint8_t>() != 0 && reader.ok()) {
    }
    part->code_alignment = reader.unsigned_leb();
    part->data_alignment = reader.signed_leb();
    const uint64_t return_column = version == 1 ? reader.read<uint8_t>() : reader.unsigned_leb();
    if (!reader.ok() || id != 0 || (version != 1 && version != 3) || return_column != return_register) {
        return false;
    }
    if (*augmentation == 'z') {
        part->has_data = true;
        const uint64_t length = reader.unsigned_leb();
        part->instructions = reader.at() + length;
        for (const char* letter = augmentation + 1; *letter != 0; ++letter) {
            if (*letter == 'R') {
                part->pointer_encoding = reader.read<uint8_t>();
            } else if (*letter == 'P') {
                reader.encoded_number(reader.read<uint8_t>());
            } else if (*letter == 'L') {
                reader.skip(1);
            } else if (*letter == 'S') {
                part->signal_frame = true;
            } else if (*letter != 'B') {  // aarch64: return addresses are signed by the other key
                break;                    // the length says where the instructions are
            }
        }
    } else if (*augmentation != 0) {
        return false;
    } else {
        part->instructions = reader.at();
    }
    return reader.ok() && part->instructions <= part->end;
}

bool read_description(const ElfImage& image, uintptr_t at, FrameDescription* description) {
    ByteReader header(at, image.segment_end(at));
    if (!read_length(header, &description->instructions_end)) {
        return false;
    }
    ByteReader reader(header.at(), description->instructions_end);
    auto distance = reader.read<uint32_t>();  // from this word back to the common part; 0: this is one
    const uintptr_t common_at = header.at() - distance;
    CommonPart common;
    if (!reader.ok() || distance == 0 || !read_common_part(image, common_at, &common)) {
        return false;
    }
    description->start = reader.encoded_pointer(common.pointer_encoding, 0);
    description->end = description->start + reader.encoded_number(common.pointer_encoding);
    if (common.has_data) {
        reader.skip(reader.unsigned_leb());
    }
    description->instructions = reader.at();
    description->initial = common.instructions;
    description->initial_end = common.end;
    description->code_alignment = common.code_alignment;
    description->data_alignment = common.data_alignment;
    description->pointer_encoding = common.pointer_encoding;
    description->signal_frame = common.signal_frame;
    return reader.ok();
}

// Runs call-frame instructions until the location passes pc.
class Program {
  public:
    Program(const FrameDescription& description, FrameRules* rules, const FrameRules* initial)
        : description_(description), rules_(*rules), initial_(initial) {}

    bool run(uintptr_t from, uintptr_t to, uintptr_t pc) {
        ByteReader reader(from, to);
        uintptr_t location = description_.start;
        while (!reader.done()) {
            auto code = reader.read<uint8_t>();
            const uint8_t low = code & 0x3F;
            bool understood = true;
            switch (code >> 6) {
                case 1:
                    location += low * description_.code_alignment;
                    break;
                case 2:
                    set(low, RuleKind::at_offset, factored(reader.unsigned_leb()));
                    break;
                case 3:
                    restore(low);
                    break;
                default:
                    understood = low <= 0x04                  ? advance(low, reader, &location)
                                 : low == 0x0A || low == 0x0B ? remember(low)
                                 : low >= 0x0C && low <= 0x13 && low != 0x10 && low != 0x11
                                     ? change_cfa(low, reader)
                                     : change_register(low, reader);
            }
            if (!understood) {
                return false;
            }
            if (location > pc) {
                break;
            }
        }
        return reader.ok();
    }

  private:
    int64_t factored(uint64_t value) const {
        return static_cast<int64_t>(value * static_cast<uint64_t>(description_.data_alignment));
    }

    void set(uint64_t number, RuleKind kind, int64_t value) {
        if (number < register_count) {
            rules_.kind[number] = kind;
            rules_.value[number] = value;
        }
    }

    void restore(uint64_t number) {
        if (number < register_count && initial_ != nullptr) {
            set(number, initial_->kind[number], initial_->value[number]);
        }
    }

    bool advance(uint8_t code, ByteReader& reader, uintptr_t* location) {
        switch (code) {
            case 0x00:  // nop
                return true;
            case 0x01:
                *location = reader.encoded_pointer(description_.pointer_encoding, 0);
                return true;
            case 0x02:
                *location += reader.read<uint8_t>() * description_.code_alignment;
                return true;
            case 0x03:
                *location += reader.read<uint16_t>() * description_.code_alignment;
                return true;
            default:
                *location += reader.read<uint32_t>() * description_.code_alignment;
                return true;
        }
    }

    bool remember(uint8_t code) {
        if (code == 0x0A) {
            if (depth_ == most_remembered) {
                return false;
            }
            memory_[depth_++] = rules_;
            return true;
        }
        if (depth_ == 0) {
            return false;
        }
        rules_ = memory_[--depth_];
        return true;
    }

    bool change_cfa(uint8_t code, ByteReader& reader) {
        if (code == 0x0F) {
            rules_.cfa_expression = reader.at();
            reader.skip(reader.unsigned_leb());
            return true;
        }
        if (code == 0x0C || code == 0x0D || code == 0x12) {
            const uint64_t number = reader.unsigned_leb();
            if (number >= register_count) {
                return false;
            }
            rules_.cfa_register = static_cast<uint8_t>(number);
        }
        if (code == 0x0C || code == 0x0E) {
            rules_.cfa_offset = static_cast<int64_t>(reader.unsigned_leb());
        } else if (code == 0x12 || code == 0x13) {
            rules_.cfa_offset = factored(static_cast<uint64_t>(reader.signed_leb()));
        }
        rules_.cfa_expression = 0;
        return true;
    }

    bool change_register(uint8_t code, ByteReader& reader) {
        // GNU_window_save, nothing on x86-64; AARCH64_negate_ra_state: from here on the return address is signed, or no
        // longer, and stripped() does not need to know. 0x2C is the same, signed with the pc.
        if (code == 0x2D || (code == 0x2C && has_link_register)) {
            return true;
        }
        const uint64_t number = reader.unsigned_leb();
        switch (code) {
            case 0x05:
                set(number, RuleKind::at_offset, factored(reader.unsigned_leb()));
                return true;
            case 0x06:
                restore(number);
                return true;
            case 0x07:
                set(number, RuleKind::undefined, 0);
                return true;
            case 0x08:
                set(number, RuleKind::same, 0);
                return true;
            case 0x09:
                set(number, RuleKind::in_register, static_cast<int64_t>(reader.unsigned_leb()));
                return true;
            case 0x10:
            case 0x16:
                set(number, code == 0x10 ? RuleKind::at_expression : RuleKind::is_expression,
                    static_cast<int64_t>(reader.at()));
                reader.skip(reader.unsigned_leb());
                return true;
            case 0x11:
                set(number, RuleKind::at_offset, factored(static_cast<uint64_t>(reader.signed_leb())));
                return true;
            case 0x14:
                set(number, RuleKind::is_offset, factored(reader.unsigned_leb()));
                return true;
            case 0x15:
                set(number, RuleKind::is_offset, factored(static_cast<uint64_t>(reader.signed_leb())));
                return true;
            case 0x2E:  // GNU_args_size: the number read is the size
                return true;
            case 0x2F:  // GNU_negative_offset_extended
                set(number, RuleKind::at_offset, -factored(reader.unsigned_leb()));
                return true;
            default:
                return false;
        }
    }

    const FrameDescription& description_;
    FrameRules& rules_;
    const FrameRules* initial_;
    uint32_t depth_ = 0;
    FrameRules memory_[most_remembered];
};

}  // namespace

bool find_description(const ElfImage& image, uintptr_t pc, FrameDescription* description) {
    const uintptr_t base = image.frame_header;
    ByteReader reader(base, image.segment_end(base));
    auto version = reader.read<uint8_t>();
    auto frames_encoding = reader.read<uint8_t>();
    auto count_encoding = reader.read<uint8_t>();
    auto table_encoding = reader.read<uint8_t>();
    if (version != 1 || count_encoding == omitted || table_encoding != sorted_table) {
        return false;
    }
    reader.encoded_pointer(frames_encoding, base);
    const uint64_t count = reader.encoded_pointer(count_encoding, base);
    struct Pair {
        int32_t start, description;
    };
    if (!reader.ok() || count == 0 || count > (reader.end() - reader.at()) / sizeof(Pair)) {
        return false;
    }
    auto pairs = reinterpret_cast<const Pair*>(reader.at());
    const auto wanted = static_cast<int64_t>(pc - base);
    uint64_t low = 0;
    uint64_t high = count;  // the answer is in [low, high) if pairs[0] does not lie behind it
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        (pairs[middle].start <= wanted ? low : high) = middle;
    }
    return pairs[low].start <= wanted &&
           read_description(image, base + static_cast<uintptr_t>(int64_t{pairs[low].description}), description) &&
           pc >= description->start && pc < description->end;
}

bool run_description(const FrameDescription& description, uintptr_t pc, FrameRules* rules) {
    memset(rules, 0, sizeof(*rules));
    if (!Program(description, rules, nullptr).run(description.initial, description.initial_end, ~uintptr_t{0})) {
        return false;
    }
    const FrameRules initial = *rules;
    return Program(description, rules, &initial).run(description.instructions, description.instructions_end, pc);
}

}  // namespace nh::unwind
