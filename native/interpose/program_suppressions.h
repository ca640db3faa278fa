// Leaks that a program itself says are known: __lsan_default_suppressions of LeakSanitizer's interface.
#pragma once

namespace nh::interpose {

// Whether somebody may check this process's heap, and the program or a library that it was started with defines the
// function. The program's own comes first, whether or not it shows it to libraries.
bool has_suppressions();

// Calls it, and tells the collector what it says. On the program's first thread, right before main.
void tell_suppressions();

}  // namespace nh::interpose
