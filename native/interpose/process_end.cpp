// The ways in which a program ends or makes way for another: each asks for a look at the heap first. What ends a
// process otherwise (a signal, a system call of its own) is seen from outside.
#include <alloca.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "native/interpose/program_suppressions.h"
#include "native/process/check.h"
#include "native/process/elf_lookup.h"

// Under another name here: the functions that do not return jump to the real ones, so that these have the frames that
// they would have had.
#define NH_EXPORT_AS(name) __asm__(#name) __attribute__((visibility("default")))

namespace {

using nh::process::await_check;
using nh::wire::check_reason;

using Main = int(int, char**, char**);
using Start = int(Main*, int, char**, void (*)(), void (*)(), void (*)(), void*);
using End = void(int);
using Execute = int(const char*, char* const*);
using ExecuteIn = int(const char*, char* const*, char* const*);
using ExecuteFile = int(int, char* const*, char* const*);

Main* program_main;
Main* first_main;  // what is called as main

template <typename Function>
Function* next(Function** known, const char* name) {
    Function* function = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (function == nullptr) {
        function = reinterpret_cast<Function*>(nh::process::find_next_function(name));
        __atomic_store_n(known, function, __ATOMIC_RELAXED);
    }
    return function;
}

#define NH_NEXT(type, name)        \
    ([] {                          \
        static type* known;        \
        return next(&known, name); \
    }())

// Everything is initialised. main is jumped to: no frame of ours stands below it.
int main_after_suppressions(int argument_count, char** arguments, char** environment) {
    nh::interpose::tell_suppressions();
    return program_main(argument_count, arguments, environment);
}

// Return from main is the end, before any exit handler or destructor.
int checked_main(int argument_count, char** arguments, char** environment) {
    int code = first_main(argument_count, arguments, environment);
    await_check(check_reason::exit);
    return code;
}

size_t count_arguments(va_list list) {
    size_t count = 1;
    while (va_arg(list, char*) != nullptr) {
        count++;
    }
    return count;
}

// The arguments of execl and its like, ended by a null, on the caller's stack: nothing may be allocated in a vfork
// child.
#define NH_COLLECT(arguments, list, first)                                       \
    va_list list;                                                                \
    va_start(list, first);                                                       \
    size_t count = first == nullptr ? 0 : count_arguments(list);                 \
    va_end(list);                                                                \
    char** arguments = static_cast<char**>(alloca((count + 1) * sizeof(char*))); \
    arguments[0] = const_cast<char*>(first);                                     \
    va_start(list, first);                                                       \
    for (size_t i = 1; i <= count; i++) {                                        \
        arguments[i] = va_arg(list, char*);                                      \
    }

}  // namespace

extern "C" {

// No frame of ours stands in the stacks of a program whose heap nobody checks at its end.
int nh_libc_start_main(Main* main, int argument_count, char** arguments, void (*initialize)(), void (*finish)(),
                       void (*loader_finish)(), void* stack_end) NH_EXPORT_AS(__libc_start_main);
int nh_libc_start_main(Main* main, int argument_count, char** arguments, void (*initialize)(), void (*finish)(),
                       void (*loader_finish)(), void* stack_end) {
    bool checked = nh::process::checks(check_reason::exit);
    program_main = main;
    first_main = nh::interpose::has_suppressions() ? main_after_suppressions : main;
    return NH_NEXT(Start, "__libc_start_main")(checked ? checked_main : first_main, argument_count, arguments,
                                               initialize, finish, loader_finish, stack_end);
}

void nh_exit(int code) NH_EXPORT_AS(exit);
void nh_exit(int code) {
    await_check(check_reason::exit);
    NH_NEXT(End, "exit")(code);
}

void nh__exit(int code) NH_EXPORT_AS(_exit);
void nh__exit(int code) {
    await_check(check_reason::any_end);
    NH_NEXT(End, "_exit")(code);
}

void nh__Exit(int code) NH_EXPORT_AS(_Exit);
void nh__Exit(int code) {
    await_check(check_reason::any_end);
    NH_NEXT(End, "_Exit")(code);
}

void nh_quick_exit(int code) NH_EXPORT_AS(quick_exit);
void nh_quick_exit(int code) {
    await_check(check_reason::exit);
    NH_NEXT(End, "quick_exit")(code);
}

int nh_execve(const char* path, char* const* arguments, char* const* environment) NH_EXPORT_AS(execve);
int nh_execve(const char* path, char* const* arguments, char* const* environment) {
    await_check(check_reason::execute);
    return NH_NEXT(ExecuteIn, "execve")(path, arguments, environment);
}

int nh_execv(const char* path, char* const* arguments) NH_EXPORT_AS(execv);
int nh_execv(const char* path, char* const* arguments) {
    await_check(check_reason::execute);
    return NH_NEXT(Execute, "execv")(path, arguments);
}

int nh_execvp(const char* name, char* const* arguments) NH_EXPORT_AS(execvp);
int nh_execvp(const char* name, char* const* arguments) {
    await_check(check_reason::execute);
    return NH_NEXT(Execute, "execvp")(name, arguments);
}

int nh_execvpe(const char* name, char* const* arguments, char* const* environment) NH_EXPORT_AS(execvpe);
int nh_execvpe(const char* name, char* const* arguments, char* const* environment) {
    await_check(check_reason::execute);
    return NH_NEXT(ExecuteIn, "execvpe")(name, arguments, environment);
}

int nh_fexecve(int file, char* const* arguments, char* const* environment) NH_EXPORT_AS(fexecve);
int nh_fexecve(int file, char* const* arguments, char* const* environment) {
    await_check(check_reason::execute);
    return NH_NEXT(ExecuteFile, "fexecve")(file, arguments, environment);
}

int nh_execl(const char* path, const char* first, ...) NH_EXPORT_AS(execl);
int nh_execl(const char* path, const char* first, ...) {
    await_check(check_reason::execute);
    NH_COLLECT(arguments, list, first);
    va_end(list);
    return NH_NEXT(Execute, "execv")(path, arguments);
}

int nh_execlp(const char* name, const char* first, ...) NH_EXPORT_AS(execlp);
int nh_execlp(const char* name, const char* first, ...) {
    await_check(check_reason::execute);
    NH_COLLECT(arguments, list, first);
    va_end(list);
    return NH_NEXT(Execute, "execvp")(name, arguments);
}

int nh_execle(const char* path, const char* first, ...) NH_EXPORT_AS(execle);
int nh_execle(const char* path, const char* first, ...) {
    await_check(check_reason::execute);
    NH_COLLECT(arguments, list, first);
    char* const* environment = va_arg(list, char* const*);
    va_end(list);
    return NH_NEXT(ExecuteIn, "execve")(path, arguments, environment);
}

}  // extern "C"
