// Hazard: a host of a .NET runtime, whose diagnostic port must be in the environment while the runtime starts and in
// nobody's after that. runtime_host [fork]: as it is, or in a forked child.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int initialize_function(const char*, const char*, int, const char**, const char**, void**, unsigned int*);

static const char* text(const char* variable) {
    const char* value = getenv(variable);
    return value != NULL ? value : "none";
}

int main(int argument_count, char** arguments) {
    free(malloc(1));
    if (argument_count > 1 && strcmp(arguments[1], "fork") == 0) {
        pid_t child = fork();
        if (child != 0)
            return waitpid(child, NULL, 0) == child ? 0 : 1;
        free(malloc(1));
    }
    void* library = dlopen(RUNTIME_LIBRARY, RTLD_NOW);
    if (library == NULL)
        return 2;
    initialize_function* initialize = (initialize_function*)dlsym(library, "coreclr_initialize");
    const char* key = "key";
    const char* value = "value";
    void* host = NULL;
    unsigned int domain = 0;
    char** before = environ;
    int result = initialize("host", "domain", 1, &key, &value, &host, &domain);
    printf("gave %d %d %u\n", result, host == &host, domain);
    printf("afterwards: %s, meanwhile: %s, same: %d\n", text("DOTNET_DiagnosticPorts"), text("SET_MEANWHILE"),
           before == environ);
    return 0;
}
