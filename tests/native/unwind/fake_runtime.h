// A stand-in for CoreCLR: a contract descriptor, the tables it describes, and code heaps to put machine code in.
#pragma once
#include <stdint.h>

#include <map>
#include <string>
#include <vector>

#include "native/unwind/windows_unwind.h"

namespace nh::unwind::test {

using Bytes = std::vector<uint8_t>;

// A function void (void (*g)()) that calls g with garbage in RBP, and its unwind information.
struct MadeCode {
    Bytes code, unwind;
    uint32_t call_end;  // offset of the return address of its call
};
// RBP is data; the frame is known from RSP alone.
MadeCode frame_by_stack_pointer(uint32_t frame_bytes);
// RBP is the frame register, RSP moves by another 256 bytes after the prologue.
MadeCode frame_by_register(uint32_t frame_bytes);
// The same, but void (void (*g)(void*), void* argument), which calls g(argument).
MadeCode frame_that_passes_on(uint32_t frame_bytes);

class FakeRuntime {
  public:
    // Made and learnt once for the test program.
    static FakeRuntime& instance();

    // The descriptor's text and a descriptor for any text.
    static std::string contract_text();
    uintptr_t descriptor_for(const std::string& text);

    enum Heap { permanent, collectible };
    // Puts a method of several functions (main body, funclets) at an offset of a heap, over whatever is there. Returns
    // where the first function is.
    uintptr_t put_method(Heap heap, uint32_t offset, const std::vector<MadeCode>& functions, const char* name);
    uintptr_t put_stub(Heap heap, uint32_t offset, const Bytes& code);
    // A ReadyToRun image of such functions, a table entry each; where they are.
    std::vector<uintptr_t> put_image(const std::vector<MadeCode>& functions);

    // Makes the nibble maps ones of version 1, until more code is put.
    void forget_nibble_pointers();

    // What a thread that was hijacked says: the place that was overwritten, and the address that stood there.
    void hijack(uintptr_t slot, uintptr_t address);

    // The tables, for scribbling.
    uint8_t* tables() const { return tables_; }
    size_t table_bytes() const { return next_; }

  private:
    FakeRuntime();
    uintptr_t take(size_t bytes);
    void store(uintptr_t address, uint64_t value);
    void add_section(uintptr_t begin, uintptr_t end, uint32_t flags, uintptr_t heap_list, uintptr_t module);
    void put_headers(uintptr_t image, const std::vector<RuntimeFunction>& table);
    void mark_code(Heap heap, uint32_t begin, uint32_t end);

    uint8_t* tables_;
    size_t next_ = 0;
    uintptr_t map_, thread_store_, threads_[3];
    uintptr_t heaps_[2], nibbles_[2];
    std::map<uint32_t, uintptr_t> headers_[2];  // by offset of the method: reused, as the runtime's heaps do
};

}  // namespace nh::unwind::test
