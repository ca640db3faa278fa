// Functions of every shape that a frame has here, to be stopped at each instruction. Each calls `then`, unless it is a
// leaf; built with several compiler options, so each has a table of its own.
#pragma once

namespace nh::unwind::test {

using Shape = void(void (*then)());

struct NamedShape {
    const char* name;
    Shape* function;
};

extern const NamedShape plain_shapes[], framed_shapes[], signed_shapes[];  // ended by a null name

}  // namespace nh::unwind::test
