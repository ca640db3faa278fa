// A library with the entry of a .NET runtime: tells the ports it finds in its environment when it is started.
#include <stdio.h>
#include <stdlib.h>

int coreclr_initialize(const char* executable, const char* domain_name, int property_count, const char** keys,
                       const char** values, void** host, unsigned int* domain) {
    const char* ports = getenv("DOTNET_DiagnosticPorts");
    printf("%s %s %d %s %s started with: %s\n", executable, domain_name, property_count, keys[0], values[0],
           ports != NULL ? ports : "none");
    if (getenv("SET_WHILE_STARTING") != NULL)
        setenv("SET_MEANWHILE", "yes", 1);
    *host = host;
    *domain = 7;
    return 42;
}
