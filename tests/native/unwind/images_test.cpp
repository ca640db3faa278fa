// ELF images and call-frame information as they should not be: moved, cut, scribbled. Nothing outside is read.
#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "native/unwind/call_frames.h"
#include "native/unwind/expression.h"
#include "native/unwind/modules.h"
#include "native/unwind/stack_window.h"
#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {
namespace {

// A library laid out in memory as the loader would, with room behind it; nothing is executed.
class LaidOut {
  public:
    explicit LaidOut(const std::string& path) {
        std::ifstream stream(path, std::ios::binary);
        const std::vector<char> file((std::istreambuf_iterator<char>(stream)), {});
        auto header = reinterpret_cast<const Elf64_Ehdr*>(file.data());
        auto headers = reinterpret_cast<const Elf64_Phdr*>(file.data() + header->e_phoff);
        for (int i = 0; i < header->e_phnum; ++i) {
            if (headers[i].p_type == PT_LOAD) {
                loaded_end_ =
                    std::max(loaded_end_, (headers[i].p_vaddr + headers[i].p_memsz + 4095) & ~uintptr_t{4095});
            }
        }
        base_ = reinterpret_cast<uintptr_t>(
            mmap(nullptr, loaded_end_ + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(reinterpret_cast<char*>(base_ + loaded_end_ + 4096), 4096, PROT_NONE);
        for (int i = 0; i < header->e_phnum; ++i) {
            if (headers[i].p_type == PT_LOAD) {
                memcpy(reinterpret_cast<char*>(base_ + headers[i].p_vaddr), file.data() + headers[i].p_offset,
                       headers[i].p_filesz);
            }
        }
    }
    ~LaidOut() { munmap(reinterpret_cast<void*>(base_), loaded_end_ + 8192); }

    Elf64_Ehdr& header() const { return *reinterpret_cast<Elf64_Ehdr*>(base_); }
    // As tools that patch libraries do: the program headers, with one more segment that holds them, behind all others.
    void move_program_headers() {
        auto old = reinterpret_cast<const Elf64_Phdr*>(base_ + header().e_phoff);
        constexpr uintptr_t file_offset = 0x123000;
        auto moved = reinterpret_cast<Elf64_Phdr*>(base_ + loaded_end_ + 0x40);
        memcpy(moved, old, header().e_phnum * sizeof(Elf64_Phdr));
        moved[header().e_phnum] = {PT_LOAD, PF_R, file_offset, loaded_end_, loaded_end_, 4096, 4096, 4096};
        memset(const_cast<Elf64_Phdr*>(old), 0, header().e_phnum * sizeof(Elf64_Phdr));
        header().e_phoff = file_offset + 0x40;
        ++header().e_phnum;
    }
    // After move_program_headers: every note segment begins 8 bytes before the last readable address.
    void move_notes_to_the_end() {
        auto headers = reinterpret_cast<Elf64_Phdr*>(base_ + loaded_end_ + 0x40);
        for (int i = 0; i < header().e_phnum; ++i) {
            if (headers[i].p_type == PT_NOTE) {
                headers[i].p_vaddr = loaded_end_ + 4096 - 8;
                headers[i].p_memsz = 36;
            }
        }
    }
    ImagePlace place(uintptr_t frame_header = 0) const {
        return {base_, base_, base_ + loaded_end_ + 4096, base_, frame_header};
    }
    uintptr_t base() const { return base_; }

  private:
    uintptr_t base_ = 0;
    uintptr_t loaded_end_ = 0;
};

std::string library() {
    return std::string(UNWIND_LIBRARIES) + "/libunwind_first.so";
}

TEST(Images, moved_program_headers_are_found) {
    LaidOut laid_out(library());
    ElfImage before;
    ASSERT_TRUE(describe_image(laid_out.place(), &before));
    EXPECT_EQ(before.build_id_length, 20u);
    laid_out.move_program_headers();
    ElfImage after;
    ASSERT_TRUE(describe_image(laid_out.place(), &after));
    EXPECT_EQ(after.frame_header, before.frame_header);
    EXPECT_EQ(after.build_id_length, 20u);
    EXPECT_EQ(memcmp(after.build_id, before.build_id, 20), 0);
    EXPECT_EQ(after.segment_count, before.segment_count + 1);
}

TEST(Images, notes_that_reach_past_their_segment_are_not_read) {
    LaidOut laid_out(library());
    laid_out.move_program_headers();
    laid_out.move_notes_to_the_end();
    ElfImage image;
    ASSERT_TRUE(describe_image(laid_out.place(), &image));
    EXPECT_EQ(image.build_id_length, 0u);
}

TEST(Images, without_program_headers_the_frame_headers_surroundings_serve) {
    LaidOut laid_out(library());
    ElfImage before;
    ASSERT_TRUE(describe_image(laid_out.place(), &before));
    laid_out.header().e_phoff = 0x777777777;
    ElfImage after;
    EXPECT_FALSE(describe_image(laid_out.place(), &after));
    ASSERT_TRUE(describe_image(laid_out.place(before.frame_header), &after));
    EXPECT_EQ(after.frame_header, before.frame_header);
    EXPECT_NE(after.segment_end(before.frame_header), 0u);
}

TEST(Images, scribbled_headers_never_fault) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 2000; ++round) {
        const LaidOut laid_out(library());
        for (int i = 0; i < 1 + static_cast<int>(random() % 8); ++i) {
            auto bytes = reinterpret_cast<uint8_t*>(laid_out.base());
            bytes[16 + random() % 1000] = static_cast<uint8_t>(random());
        }
        ElfImage image;
        if (describe_image(laid_out.place(), &image)) {
            EXPECT_LE(image.segment_count, ElfImage::most_segments);
            EXPECT_LE(image.build_id_length, ElfImage::most_build_id);
        }
        if (HasFailure()) {
            return;
        }
    }
}

// The program's own call-frame information, copied to the end of a page behind which nothing can be read, and
// changed: every pc is looked up, every rule run.
TEST(Images, scribbled_call_frame_information_never_reads_outside) {
    prepare();
    ElfImage own;
    ASSERT_EQ(find_module(reinterpret_cast<uintptr_t>(known_rsp), &own), ModuleKnown::remembered);
    const uintptr_t start = own.frame_header;
    const uintptr_t size = own.segment_end(start) - start;
    const uintptr_t pages = (size + 4095) & ~uintptr_t{4095};
    auto memory =
        static_cast<char*>(mmap(nullptr, pages + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    mprotect(memory, 4096, PROT_NONE);
    mprotect(memory + 4096 + pages, 4096, PROT_NONE);
    char* copy = memory + 4096 + pages - size;
    ElfImage image{};
    image.frame_header = reinterpret_cast<uintptr_t>(copy);
    image.segments[0] = {image.frame_header, image.frame_header + size};
    image.segment_count = 1;
    std::mt19937_64 random(6);
    StackBounds bounds{};
    StackWindow window(bounds);
    window.enter(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)), false);
    uint32_t understood = 0;
    for (int round = 0; round < 300; ++round) {
        memcpy(copy, reinterpret_cast<const void*>(start), size);
        for (int i = 0; i < 2000; ++i) {
            copy[12 + random() % (size - 12)] = static_cast<char>(random());
        }
        for (int i = 0; i < 300; ++i) {
            const uintptr_t pc =
                reinterpret_cast<uintptr_t>(copy) - start + own.start + random() % (own.end - own.start);
            FrameDescription description;
            FrameRules rules;
            if (!find_description(image, pc, &description) || !run_description(description, pc, &rules)) {
                continue;
            }
            ++understood;
            RegisterFile registers{};
            registers.known = 0x1FFFF;
            for (uint32_t number = 0; number < register_count; ++number) {
                registers.value[number] = (random() & 1) != 0 ? random() : reinterpret_cast<uintptr_t>(&registers);
            }
            uintptr_t value;
            ExpressionValue symbolic;
            for (uint32_t number = 0; number < register_count; ++number) {
                const auto at = static_cast<uintptr_t>(rules.value[number]);
                if (rules.kind[number] == RuleKind::at_expression || rules.kind[number] == RuleKind::is_expression) {
                    evaluate(at, description.instructions_end, registers, window, true, 1, &value);
                    evaluate_symbolically(at, description.instructions_end, pc, &symbolic);
                }
            }
            if (rules.cfa_expression != 0) {
                evaluate(rules.cfa_expression, description.instructions_end, registers, window, false, 0, &value);
                evaluate_symbolically(rules.cfa_expression, description.instructions_end, pc, &symbolic);
            }
        }
    }
    EXPECT_GT(understood, 1000u);
    munmap(memory, pages + 8192);
}

TEST(Images, expressions_of_random_bytes_end) {
    std::mt19937_64 random(9);
    StackBounds bounds{};
    StackWindow window(bounds);
    window.enter(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)), false);
    for (int round = 0; round < 200000; ++round) {
        uint8_t bytes[24];
        for (uint8_t& byte : bytes) {
            byte = static_cast<uint8_t>(random());
        }
        bytes[0] = static_cast<uint8_t>(random() % 30);
        RegisterFile registers{};
        registers.known = 0x1FFFF;
        registers.value[rbp] = reinterpret_cast<uintptr_t>(bytes);
        uintptr_t value;
        ExpressionValue symbolic;
        const auto at = reinterpret_cast<uintptr_t>(bytes);
        const bool exact = evaluate(at, at + sizeof bytes, registers, window, true, 1, &value);
        const bool named = evaluate_symbolically(at, at + sizeof bytes, at, &symbolic);
        if (bytes[0] > sizeof bytes - 1) {
            EXPECT_FALSE(exact || named);
        }
    }
}

}  // namespace
}  // namespace nh::unwind::test
