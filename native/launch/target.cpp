#include "native/launch/target.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nh::launch {
namespace {

constexpr char preload[] = "LD_PRELOAD=";

size_t count(char** entries) {
    size_t number = 0;
    while (entries[number] != nullptr)
        number++;
    return number;
}

bool same_name(const char* one, const char* other) {
    size_t length = strcspn(one, "=");
    return strncmp(one, other, length) == 0 && other[length] == '=';
}

// The entry to use instead of `old`; null when there is no memory.
char* replace(const char* setting, const char* old) {
    char* joined = nullptr;
    if (strncmp(setting, preload, sizeof preload - 1) == 0 && old[sizeof preload - 1] != '\0') {
        if (asprintf(&joined, "%s:%s", setting, old + sizeof preload - 1) < 0)
            return nullptr;
        return joined;
    }
    return strdup(setting);
}

// Our environment with the settings in it, in the order it had. Null when there is no memory. Freed by the exec or
// with the process: there is one target.
char** environment_of(const Command& command) {
    size_t number = count(environ);
    size_t most_settings = 0;
    for (size_t at = 0; at < command.settings_bytes; at++)
        most_settings += command.settings[at] == '\0';
    char** entries = static_cast<char**>(calloc(number + most_settings + 1, sizeof(char*)));
    if (entries == nullptr)
        return nullptr;
    memcpy(entries, environ, number * sizeof(char*));

    const char* end = command.settings + command.settings_bytes;
    for (const char* setting = command.settings; setting < end; setting += strlen(setting) + 1) {
        size_t at = 0;
        while (at < number && !same_name(setting, entries[at]))
            at++;
        char* entry = at < number ? replace(setting, entries[at]) : strdup(setting);
        if (entry == nullptr)
            return nullptr;
        entries[at] = entry;
        number += at == number;
    }
    return entries;
}

// execve with the search of execvp(3), but a file of no known format is an error and not a script for the shell.
int execute(char** argv, char** environment) {
    const char* name = argv[0];
    if (*name == '\0' || strchr(name, '/') != nullptr) {
        execve(name, argv, environment);
        return errno;
    }
    const char* path = getenv("PATH");
    if (path == nullptr)
        path = "/bin:/usr/bin";
    int error = ENOENT;
    for (const char* folder = path;; folder++) {
        const char* end = strchrnul(folder, ':');
        char candidate[PATH_MAX];
        int length = snprintf(candidate, sizeof candidate, "%.*s%s%s", static_cast<int>(end - folder), folder,
                              end == folder ? "" : "/", name);
        if (length > 0 && static_cast<size_t>(length) < sizeof candidate) {
            execve(candidate, argv, environment);
            if (errno == EACCES)
                error = EACCES;  // goes on, and is reported when nothing else is found
            else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP && errno != ENAMETOOLONG)
                return errno;
        }
        if (*end == '\0')
            return error;
        folder = end;
    }
}

struct Start {
    const Command* command;
    const Inherited* inherited;
    char** environment;
    volatile int error;  // written by the child in our memory
};

// Runs in the child on its own stack, our memory shared and us suspended: as posix_spawn(3) of glibc does, which
// cannot put back an ignored SIGCHLD.
int become_target(void* argument) {
    Start* start = static_cast<Start*>(argument);
    restore_signals(*start->inherited);
    start->error = execute(start->command->argv, start->environment);
    return 127;
}

}  // namespace

pid_t start_target(const Command& command, const Inherited& inherited) {
    static uint8_t stack[128 * 1024] __attribute__((aligned(16)));
    Start start = {&command, &inherited, environment_of(command), 0};
    if (start.environment == nullptr) {
        errno = ENOMEM;
        return -1;
    }
    pid_t pid = clone(become_target, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &start);
    if (pid < 0)
        return -1;
    if (start.error != 0) {
        while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        errno = start.error;
        return -1;
    }
    return pid;
}

}  // namespace nh::launch
