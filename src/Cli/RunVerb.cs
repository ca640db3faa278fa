using System.CommandLine;
using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary><c>run</c>: a command under the shim, one trace for it and its descendants.</summary>
internal static class RunVerb
{
    public static Verb Create()
    {
        var verb = new Verb(
            "run",
            "Runs a command and records where its native memory goes.",
            "nativeheap run -o server.nheap -- ./server --port 8080");
        verb.SetAction(int (ParseResult _) => throw new ToolException("run is not there yet", ExitCodes.Fault));
        return verb;
    }
}
