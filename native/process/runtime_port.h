// A .NET runtime's way to the collector: DOTNET_DiagnosticPorts, in the environment only while the runtime reads it.
// A child that inherited it would wait at its start for a collector that may be gone by then.
#pragma once

namespace nh::process {

// The collector's port: `dotnet` in the folder of its socket. Call once at start, while the settings can be read; a
// path that the variable's syntax has no room for gives no port.
void remember_runtime_port(const char* socket_path);

// Around a runtime's start, in the thread that starts it. The variable is set, after the ports that the user named
// there, when this process is the one the collector waits for and the collector lives; end_runtime_start puts back what
// was there. Neither allocates, and both are idle where there is no port to offer.
void begin_runtime_start();
void end_runtime_start();

}  // namespace nh::process
