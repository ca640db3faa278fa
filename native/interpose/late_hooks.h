// Directs the calls of a program that runs already to this library, which came too late to be found by name: in every
// loaded module by the words that the loader has bound, and for modules to come by the symbols that it will look up.
#pragma once

namespace nh::interpose {

// Whether the main program defines malloc: its own calls are then bound for good, and cannot be directed.
bool program_has_own_allocator();

// No other thread need stand still. Blocks that are born once this has begun are seen to die, by whatever module: the
// functions that free are directed first, in all modules, then those that resize, then those that allocate. False:
// memory could not be written, or the loader not be asked; everything is as it was.
bool hook_modules();

// In a program that this library came with, which calls C's functions by our names: directs what its allocator offers
// beyond those (extensions.h), and mmap where it is recorded (mappings.h), once all libraries are ready.
void hook_extensions();

// As hook_modules(), for mmap and its like, and in any program: where the session that has begun records them.
bool hook_mappings();

// In such a program, before it loads a library with RTLD_DEEPBIND: what looks libc's functions up in libc itself finds
// ours from now on.
void hook_own_scopes();

// Puts back every word that is still ours, in whatever module, also those that have come since.
void unhook_modules();

}  // namespace nh::interpose
