// Namespaces of the loader beside the program's own (dlmopen, LD_AUDIT). What is loaded there has a libc of its own,
// calls none of our functions, and is in no list of libraries that we are given: the recording says so.
#pragma once

namespace nh::process {

// Asks the loader whether there is one. From a thread that is in no allocator and no loader code, or in a constructor.
void look_for_other_namespaces();

// There is one from now on, or was. Any thread; after a fork it holds for the child, too.
void note_other_namespace();

bool has_other_namespaces();

}  // namespace nh::process
